#include "lazy-controller/publish/xds/subscription.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lazy-controller/publish/xds/delta_subscription.h"
#include "lazy-controller/publish/xds/sotw_subscription.h"

namespace lazymesh::publish::xds {
namespace {

using testing::UnorderedElementsAre;

// What is to be held, under each name one text.
class Wanted final : public Desired {
 public:
  explicit Wanted(Names& names) : names_(names) {}
  void set(const std::string& name, const std::string& body) {
    const auto resource = sidecar::make_resource(ResourceType::kCluster, name, body);
    entries_[name] = make_entry(names_, *resource);
  }
  void remove(const std::string& name) { entries_.erase(name); }
  Wish find(ResourceType, const Name& name) const override {
    const auto found = entries_.find(std::string(name.text()));
    if (found == entries_.end()) return {Wish::Kind::kAbsent};
    return {Wish::Kind::kPresent, found->second};
  }
  void each(ResourceType, const std::function<void(const EntryPtr&)>& visit) const override {
    for (const auto& [_, entry] : entries_) visit(entry);
  }
  std::uint64_t version(const std::string& name) const { return entries_.at(name)->version; }

 private:
  Names& names_;
  std::map<std::string, EntryPtr> entries_;
};

Request request(std::vector<std::string> names = {}, std::string nonce = {}) {
  Request request;
  request.names = std::move(names);
  request.nonce = std::move(nonce);
  return request;
}

std::vector<std::string> names_of(const std::optional<Response>& response) {
  std::vector<std::string> names;
  if (!response) return names;
  for (const auto& entry : response->resources) names.emplace_back(entry->name.text());
  return names;
}

class SubscriptionTest : public testing::Test {
 protected:
  Names names_;
  Wanted wanted_{names_};
  Subscription::Limits limits_;
};
using Heard = Subscription::Heard;
using DeltaSubscriptionTest = SubscriptionTest;
using SotwSubscriptionTest = SubscriptionTest;

TEST_F(DeltaSubscriptionTest, ARequestWithoutNamesStandsForAll) {
  wanted_.set("a", "1");
  DeltaSubscription subscription(ResourceType::kCluster, names_, limits_);
  EXPECT_EQ(*subscription.on_request(request()), Heard::kSubscription);
  EXPECT_THAT(names_of(subscription.next(wanted_, 1)), UnorderedElementsAre("a"));
  EXPECT_EQ(*subscription.on_request(request({}, "1")), Heard::kAck);
  EXPECT_EQ(*subscription.on_request(request({}, "1")), Heard::kStale);
  wanted_.remove("a");
  subscription.mark(names_.find("a"), false);
  EXPECT_EQ(subscription.next(wanted_, 2)->removed.size(), 1u);
  EXPECT_EQ(subscription.held(), 0u);
}

TEST_F(DeltaSubscriptionTest, WhatIsSubscribedToAgainIsAnsweredAgain) {
  wanted_.set("a", "1");
  DeltaSubscription subscription(ResourceType::kEndpoints, names_, limits_);
  ASSERT_TRUE(subscription.on_request(request({"a"})));
  EXPECT_THAT(names_of(subscription.next(wanted_, 1)), UnorderedElementsAre("a"));
  auto stop = request({}, "1");
  stop.unsubscribe = {"a"};
  ASSERT_TRUE(subscription.on_request(stop));
  EXPECT_FALSE(subscription.wants(names_.intern("a")));
  ASSERT_TRUE(subscription.on_request(request({"a"})));
  EXPECT_THAT(names_of(subscription.next(wanted_, 2)), UnorderedElementsAre("a"));
}

TEST_F(DeltaSubscriptionTest, AReconnectedClientIsSentWhatItLacks) {
  wanted_.set("a", "1");
  wanted_.set("b", "1");
  DeltaSubscription subscription(ResourceType::kCluster, names_, limits_);
  auto first = request({"*"});
  first.initial_versions = {{"a", wanted_.version("a")}, {"gone", 7}};
  ASSERT_TRUE(subscription.on_request(first));
  EXPECT_TRUE(subscription.reconnected());
  const auto response = subscription.next(wanted_, 1);
  EXPECT_THAT(names_of(response), UnorderedElementsAre("b"));
  ASSERT_EQ(response->removed.size(), 1u);
  EXPECT_EQ(response->removed[0].text(), "gone");
}

TEST_F(DeltaSubscriptionTest, WhatIsForcedIsSentThoughItIsTheSame) {
  wanted_.set("a", "1");
  DeltaSubscription subscription(ResourceType::kCluster, names_, limits_);
  ASSERT_TRUE(subscription.on_request(request()));
  subscription.next(wanted_, 1);
  subscription.mark(names_.find("a"), false);
  EXPECT_EQ(subscription.next(wanted_, 2), std::nullopt);
  subscription.mark(names_.find("a"), true);
  EXPECT_THAT(names_of(subscription.next(wanted_, 2)), UnorderedElementsAre("a"));
}

TEST_F(DeltaSubscriptionTest, TooManyNamesAreRefused) {
  limits_.max_names = 1;
  DeltaSubscription subscription(ResourceType::kEndpoints, names_, limits_);
  EXPECT_EQ(subscription.on_request(request({"a", "b"})).error().code, Code::kResourceExhausted);
}

TEST_F(SotwSubscriptionTest, AChangeIsToldWithAllTheRest) {
  wanted_.set("a", "1");
  wanted_.set("b", "1");
  SotwSubscription subscription(ResourceType::kCluster, names_, limits_);
  ASSERT_TRUE(subscription.on_request(request()));
  EXPECT_THAT(names_of(subscription.next(wanted_, 1)), UnorderedElementsAre("a", "b"));
  EXPECT_EQ(*subscription.on_request(request({}, "1")), Heard::kAck);
  EXPECT_EQ(*subscription.on_request(request({}, "7")), Heard::kStale);
  wanted_.set("a", "2");
  subscription.mark(names_.find("a"), false);
  const auto response = subscription.next(wanted_, 2);
  EXPECT_THAT(names_of(response), UnorderedElementsAre("a", "b"));
  EXPECT_EQ(response->updated.size(), 1u);
}

TEST_F(SotwSubscriptionTest, WhatIsForcedIsSentThoughItIsTheSame) {
  wanted_.set("a", "1");
  SotwSubscription subscription(ResourceType::kCluster, names_, limits_);
  ASSERT_TRUE(subscription.on_request(request()));
  subscription.next(wanted_, 1);
  ASSERT_TRUE(subscription.on_request(request({}, "1")));
  subscription.mark(names_.find("a"), true);
  const auto response = subscription.next(wanted_, 2);
  EXPECT_THAT(names_of(response), UnorderedElementsAre("a"));
  EXPECT_EQ(response->updated.size(), 1u);
}

TEST_F(SotwSubscriptionTest, AClientThatHasItAllIsSentNothing) {
  wanted_.set("a", "1");
  std::string version;
  {
    SotwSubscription before(ResourceType::kCluster, names_, limits_);
    ASSERT_TRUE(before.on_request(request()));
    version = sidecar::version_text(before.next(wanted_, 1)->version);
  }
  SotwSubscription subscription(ResourceType::kCluster, names_, limits_);
  auto first = request();
  first.version = version;
  ASSERT_TRUE(subscription.on_request(first));
  EXPECT_EQ(subscription.next(wanted_, 1), std::nullopt);
  EXPECT_EQ(subscription.held(), 1u);
}

}  // namespace
}  // namespace lazymesh::publish::xds
