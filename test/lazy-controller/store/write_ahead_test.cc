#include "lazy-controller/store/write_ahead.h"

#include <map>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/lazy-controller/store/support.h"

namespace lazymesh::store {
namespace {

using mesh::Dependency;
using mesh::DependencyKey;
using test::dependency;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A store whose writes end when the test says so, and fail while its disk is full.
class FakeStore final : public Store {
 public:
  Result<std::vector<Dependency>> load() override { return std::vector<Dependency>{}; }
  void save(std::vector<Dependency> dependencies, Committed committed) override {
    writes_.push_back(dependencies.size());
    if (!committed) ++droppable_;
    pending_.emplace_back(std::move(dependencies), std::move(committed));
  }
  void remove(std::vector<DependencyKey> keys, Committed) override {
    for (const auto& key : keys) rows_.erase(key);
  }

  void commit() {
    for (auto& [dependencies, committed] : std::exchange(pending_, {})) {
      if (!full_) {
        for (const auto& each : dependencies) rows_.insert_or_assign(each.key, each);
      }
      if (!committed) continue;
      committed(full_ ? Result<void>(fail(Code::kUnavailable, "disk full")) : Result<void>());
    }
  }
  void set_full(bool full) { full_ = full; }
  bool has(int number) const { return rows_.contains(dependency(number).key); }
  /// How large the writes were since the last call.
  std::vector<std::size_t> writes() { return std::exchange(writes_, {}); }
  std::size_t droppable() const { return droppable_; }

 private:
  std::map<DependencyKey, Dependency> rows_;
  std::vector<std::pair<std::vector<Dependency>, Committed>> pending_;
  std::vector<std::size_t> writes_;
  std::size_t droppable_ = 0;
  bool full_ = false;
};

class WriteAheadTest : public testing::Test {
 protected:
  FakeStore store_;
  Readiness readiness_;
  std::vector<DependencyKey> published_;
  WriteAhead write_ahead_{
      store_, readiness_, [](const std::function<void()>& task) { task(); },
      [this](const auto& keys) { published_.insert(published_.end(), keys.begin(), keys.end()); }};
};

TEST_F(WriteAheadTest, PublishesOnceItIsSaved) {
  write_ahead_.learned({dependency(1), dependency(2)});
  EXPECT_THAT(published_, IsEmpty());
  store_.commit();
  EXPECT_TRUE(store_.has(1));
  EXPECT_THAT(published_, ElementsAre(dependency(1).key, dependency(2).key));
  EXPECT_THAT(readiness_.warnings(), IsEmpty());
  store_.writes();
  write_ahead_.round({});
  EXPECT_THAT(store_.writes(), IsEmpty());
}

TEST_F(WriteAheadTest, PublishesWhatCouldNotBeSavedAndSavesItUntilItIs) {
  store_.set_full(true);
  write_ahead_.learned({dependency(1)});
  store_.commit();
  EXPECT_THAT(published_, ElementsAre(dependency(1).key));
  EXPECT_THAT(readiness_.warnings(), ElementsAre(HasSubstr("disk full")));

  write_ahead_.round({});
  store_.commit();
  EXPECT_FALSE(store_.has(1));
  store_.set_full(false);
  write_ahead_.round({});
  store_.commit();
  EXPECT_TRUE(store_.has(1));
  EXPECT_THAT(readiness_.warnings(), IsEmpty());
  EXPECT_EQ(published_.size(), 1U);
}

TEST_F(WriteAheadTest, WarnsUntilNothingIsOwed) {
  store_.set_full(true);
  write_ahead_.learned({dependency(1)});
  store_.commit();
  store_.set_full(false);
  write_ahead_.learned({dependency(2)});
  store_.commit();
  EXPECT_FALSE(store_.has(1));
  EXPECT_EQ(readiness_.warnings().size(), 1U);
  write_ahead_.round({});
  EXPECT_EQ(readiness_.warnings().size(), 1U);
  store_.commit();
  EXPECT_THAT(readiness_.warnings(), IsEmpty());
}

TEST_F(WriteAheadTest, DoesNotSaveAgainWhatIsBeingSaved) {
  store_.set_full(true);
  write_ahead_.learned({dependency(1)});
  store_.commit();
  store_.writes();
  write_ahead_.round({});
  write_ahead_.round({});
  EXPECT_THAT(store_.writes(), ElementsAre(1));
  store_.commit();
  write_ahead_.round({});
  EXPECT_THAT(store_.writes(), ElementsAre(1));
}

TEST_F(WriteAheadTest, CountsMayBeLostAndGoInPieces) {
  std::vector<Dependency> many;
  for (int i = 0; i < 2500; ++i) many.push_back(dependency(i));
  write_ahead_.round(many);
  EXPECT_THAT(store_.writes(), ElementsAre(1000, 1000, 500));
  EXPECT_EQ(store_.droppable(), 3U);
  store_.commit();
  EXPECT_TRUE(store_.has(0));
  EXPECT_TRUE(store_.has(2499));
  EXPECT_THAT(published_, IsEmpty());

  write_ahead_.learned(many);
  EXPECT_THAT(store_.writes(), ElementsAre(1000, 1000, 500));
  EXPECT_EQ(store_.droppable(), 3U);
}

TEST_F(WriteAheadTest, WhatIsForgottenIsNotOwed) {
  store_.set_full(true);
  write_ahead_.learned({dependency(1)});
  store_.commit();
  store_.set_full(false);
  write_ahead_.forget({dependency(1).key});
  EXPECT_THAT(readiness_.warnings(), IsEmpty());
  write_ahead_.round({});
  store_.commit();
  EXPECT_FALSE(store_.has(1));
}

}  // namespace
}  // namespace lazymesh::store
