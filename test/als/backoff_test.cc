#include "als/backoff.h"

#include <gtest/gtest.h>

namespace lazymesh::als {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheLongest) {
  Backoff backoff({.first = milliseconds(100), .longest = milliseconds(500)});
  for (const int expected : {50, 100, 200, 250, 250}) {
    EXPECT_EQ(backoff.next(0), milliseconds(expected));
  }
}

TEST(Backoff, DrawsFromTheUpperHalf) {
  Backoff backoff({.first = milliseconds(100), .longest = milliseconds(100)});
  EXPECT_EQ(backoff.next(0.5), milliseconds(75));
  EXPECT_EQ(backoff.next(0.99), milliseconds(99));
}

TEST(Backoff, StartsAgainAfterASuccess) {
  Backoff backoff({.first = milliseconds(100), .longest = milliseconds(5000)});
  backoff.next(0);
  backoff.next(0);
  backoff.reset();
  EXPECT_EQ(backoff.next(0), milliseconds(50));
}

}  // namespace
}  // namespace lazymesh::als
