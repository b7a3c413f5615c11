#include "als/send_queue.h"

#include <gtest/gtest.h>

#include "test/als/entries.h"

namespace lazymesh::als {
namespace {

using std::chrono::milliseconds;
using test::http_entry;
using test::tcp_entry;

const SteadyTime kStart{milliseconds(1000)};
const std::size_t kSize = size_of(http_entry());

TEST(SendQueue, IsDueAnIntervalAfterTheFirstEntry) {
  SendQueue queue({});
  EXPECT_EQ(queue.due(), std::nullopt);
  queue.push(kStart, http_entry());
  queue.push(kStart + milliseconds(3), http_entry());
  EXPECT_EQ(queue.due(), kStart + milliseconds(5));
  EXPECT_EQ(queue.take().size(), 2U);
  EXPECT_EQ(queue.due(), std::nullopt);
  queue.push(kStart + milliseconds(9), http_entry());
  EXPECT_EQ(queue.due(), kStart + milliseconds(14));
}

TEST(SendQueue, IsDueAtOnceWhenThereIsEnough) {
  SendQueue::Limits limits;
  limits.flush_bytes = 2 * kSize;
  SendQueue queue(limits);
  queue.push(kStart, http_entry());
  EXPECT_GT(queue.due(), kStart);
  queue.push(kStart, http_entry());
  EXPECT_EQ(queue.due(), kStart);
}

TEST(SendQueue, RefusesWhatDoesNotFit) {
  SendQueue::Limits limits;
  limits.max_bytes = 2 * kSize;
  SendQueue queue(limits);
  EXPECT_TRUE(queue.push(kStart, http_entry()));
  EXPECT_TRUE(queue.push(kStart, http_entry()));
  EXPECT_FALSE(queue.push(kStart, http_entry()));
  EXPECT_EQ(queue.bytes(), 2 * kSize);
  queue.take();
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_TRUE(queue.push(kStart, http_entry()));
}

TEST(SendQueue, AMessageTakesAtLeastOneEntryAndNotMoreThanFit) {
  SendQueue::Limits limits;
  limits.message_bytes = 2 * kSize;
  SendQueue queue(limits);
  auto large = http_entry();
  large.path.append(4 * kSize, 'x');
  queue.push(kStart, large);
  for (int i = 0; i < 3; ++i) queue.push(kStart, http_entry());
  EXPECT_EQ(queue.take().size(), 1U);
  EXPECT_EQ(queue.take().size(), 2U);
  EXPECT_EQ(queue.due(), kStart + milliseconds(5));  // the rest has waited since then
  EXPECT_EQ(queue.take().size(), 1U);
  EXPECT_TRUE(queue.take().empty());
}

TEST(SendQueue, TakesHttpAndTcpInTurn) {
  SendQueue::Limits limits;
  limits.message_bytes = kSize;
  SendQueue queue(limits);
  for (int i = 0; i < 3; ++i) queue.push(kStart, http_entry());
  queue.push(kStart, tcp_entry());
  std::string order;
  while (!queue.empty()) order += queue.take().front().http ? 'h' : 't';
  EXPECT_EQ(order, "hthh");
}

}  // namespace
}  // namespace lazymesh::als
