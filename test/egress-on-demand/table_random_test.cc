// A table, a control plane that follows the protocol (also where it answers nothing), and loops,
// all in one thread and driven at random: whatever happens, whoever asks is answered in the end,
// and what loops hold is what the control plane says.

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "egress/on_demand/table.h"
#include "test/support/manual_clock.h"

namespace lazymesh::egress {
namespace {

using std::chrono::milliseconds;

constexpr int kHosts = 12;
constexpr std::size_t kLoops = 2;

std::string host_of(int number) { return "host-" + std::to_string(number); }
DestinationKey key_of(int number) { return {"shop", host_of(number), {}, 80}; }
std::string name_of(int number) { return mesh::cluster_name(host_of(number), 80); }

// Answers new names of a state-of-the-world stream and changes, nothing else; ignores requests
// whose nonce was overtaken.
struct Stream {
  std::map<ResourceType, std::set<std::string>> names;
  std::map<ResourceType, int> nonce;
  std::vector<AdsResponse> under_way;
};

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    TableOptions options;
    options.controller = "c";
    options.max_known = 6;
    options.max_unknown = 3;
    options.idle = milliseconds(60'000);
    table_ = std::make_unique<Table>(options);
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      one_step();
      settle_some();
      check();
    }
  }

  // The control plane stays up and answers: everything asked for is answered, and correctly.
  void finish() {
    for (int number = 0; number < kHosts; ++number) {
      for (std::size_t loop = 0; loop < kLoops; ++loop) ask(loop, number);
    }
    for (int round = 0; round < 4'000 && (!waiting_.empty() || round < 200); ++round) {
      clock_.advance(milliseconds(2));
      table_->on_tick(clock_.steady());
      carry_out();
      while (deliver_one()) carry_out();
    }
    EXPECT_TRUE(waiting_.empty()) << waiting_.size() << " never answered";
    for (const auto& [who, held] : held_) {
      const auto number = who.second;
      EXPECT_EQ(held.has_value(), exists_[number]) << host_of(number);
      if (!held) continue;
      EXPECT_EQ((*held)->cluster->endpoints.at(0).address.port, ports_[number]) << host_of(number);
    }
  }

 private:
  int draw(int below) { return std::uniform_int_distribution<>(0, below - 1)(random_); }

  void ask(std::size_t loop, int number) {
    if (held_.contains({loop, number})) return;  // a loop asks for what it does not hold
    waiting_.insert({loop, number});
    table_->watch(clock_.steady(), loop, key_of(number));
    carry_out();
  }

  void one_step() {
    switch (draw(12)) {
      case 0:
      case 1:
      case 2:
        ask(static_cast<std::size_t>(draw(kLoops)), draw(kHosts));
        break;
      case 3: {
        const auto number = draw(kHosts);
        exists_[number] = !exists_[number];
        if (resolver_up_ && resolving_.contains(host_of(number))) changed_.insert(number);
        break;
      }
      case 4: {
        const auto number = draw(kHosts);
        ++ports_[number];
        if (ads_.contains(space_of(number))) {
          auto& stream = ads_[space_of(number)];
          if (stream.names[ResourceType::kEndpoints].contains(name_of(number))) {
            respond(stream, ResourceType::kEndpoints, {name_of(number)});
          }
        }
        break;
      }
      case 5:
        if (draw(6) == 0 && resolver_up_) break_resolver();
        break;
      case 6:
        if (draw(6) == 0 && !ads_.empty()) break_ads(ads_.begin()->first);
        break;
      case 7:
        clock_.advance(milliseconds(draw(20'000)));
        break;
      default:
        clock_.advance(milliseconds(draw(50)));
        break;
    }
    table_->on_tick(clock_.steady());
    carry_out();
  }

  void settle_some() {
    for (int count = draw(6); count > 0 && deliver_one(); --count) carry_out();
  }

  // One message from the control plane to the table.
  bool deliver_one() {
    if (!changed_.empty()) {
      const auto number = *changed_.begin();
      changed_.erase(changed_.begin());
      if (exists_[number]) {
        ResolvedDestination resolved;
        resolved.host = host_of(number);
        resolved.cluster = name_of(number);
        resolved.namespace_ = space_of(number);
        table_->on_resolution(clock_.steady(), key_of(number), resolved);
      } else {
        table_->on_resolution(clock_.steady(), key_of(number), ResolvedNothing{"no"});
      }
      return true;
    }
    for (auto& [name_space, stream] : ads_) {
      if (stream.under_way.empty()) continue;
      auto response = std::move(stream.under_way.front());
      stream.under_way.erase(stream.under_way.begin());
      table_->on_ads_response(clock_.steady(), name_space, std::move(response));
      return true;
    }
    return false;
  }

  void carry_out() {
    auto actions = table_->take_actions();
    for (const auto& name_space : actions.close_ads) ads_.erase(name_space);
    if (actions.connect_resolver) {
      resolver_up_ = true;
      resolving_.clear();
      changed_.clear();
      table_->on_resolver_open(clock_.steady());
      return carry_out_rest(std::move(actions));
    }
    carry_out_rest(std::move(actions));
  }

  void carry_out_rest(Actions actions) {
    for (const auto& name_space : actions.connect_ads) {
      ASSERT_FALSE(ads_.contains(name_space));
      ads_[name_space];
      table_->on_ads_open(clock_.steady(), name_space);
    }
    for (auto& delivery : actions.deliveries) receive(std::move(delivery));
    // Sometimes the streams cannot be written for a while.
    if (draw(3) == 0) return;
    while (const auto request = table_->next_resolver_request()) {
      for (const auto& key : request->unsubscribe) resolving_.erase(std::get<1>(key).host);
      for (const auto& key : request->subscribe) {
        const auto& host = std::get<1>(key).host;
        resolving_.insert(host);
        changed_.insert(std::stoi(host.substr(5)));
      }
    }
    for (auto& [name_space, stream] : ads_) {
      while (const auto request = table_->next_ads_request(name_space))
        on_request(stream, *request);
    }
  }

  void on_request(Stream& stream, const AdsRequest& request) {
    auto& nonce = stream.nonce[request.type];
    if (request.nonce != (nonce == 0 ? "" : std::to_string(nonce))) return;
    EXPECT_EQ(request.error, "");
    auto& names = stream.names[request.type];
    std::vector<std::string> fresh;
    for (const auto& name : request.names) {
      if (!names.contains(name)) fresh.push_back(name);
    }
    names = {request.names.begin(), request.names.end()};
    if (fresh.empty()) return;
    if (request.type == ResourceType::kCluster) fresh = request.names;
    respond(stream, request.type, fresh);
  }

  void respond(Stream& stream, ResourceType type, const std::vector<std::string>& names) {
    AdsResponse response;
    response.type = type;
    response.nonce = std::to_string(++stream.nonce[type]);
    response.version = response.nonce;
    for (const auto& name : names) {
      if (type == ResourceType::kCluster) {
        ClusterFacts facts;
        facts.type = ClusterFacts::Type::kEds;
        facts.endpoints_name = name;
        response.resources.push_back({name, facts});
      } else {
        const auto number = std::stoi(std::string(mesh::parse_cluster_name(name).host.substr(5)));
        EndpointsFacts facts;
        facts.endpoints.healthy = {{{IpAddress::v4({10, 0, 0, 1}), ports_[number]}, 1}};
        response.resources.push_back({name, facts});
      }
    }
    stream.under_way.push_back(std::move(response));
  }

  void receive(Delivery delivery) {
    const auto number = std::stoi(std::get<1>(delivery.key).host.substr(5));
    const std::pair who{delivery.loop, number};
    waiting_.erase(who);
    auto* answer = std::get_if<Result<DestinationPtr>>(&delivery.what);
    if (answer == nullptr) {
      held_.erase(who);
    } else if (*answer) {
      held_[who] = **answer;
    } else if (answer->error().code == Code::kNotFound) {
      held_[who] = std::nullopt;
    } else {
      held_.erase(who);
    }
  }

  void break_resolver() {
    resolver_up_ = false;
    resolving_.clear();
    changed_.clear();
    table_->on_resolver_closed(clock_.steady(), "broken");
  }
  void break_ads(std::string name_space) {
    ads_.erase(name_space);
    table_->on_ads_closed(clock_.steady(), name_space, "broken");
  }

  void check() {
    const auto counts = table_->counts();
    ASSERT_LE(counts.known[1], 6U);
    ASSERT_LE(counts.unknown[1], 3U);
    ASSERT_LE(counts.known[1] + counts.unknown[1] + counts.pending, std::size_t(kHosts));
    ASSERT_GT(table_->next_wake(), clock_.steady());
  }

  static std::string space_of(int number) { return number % 2 == 0 ? "even" : "odd"; }

  std::mt19937 random_;
  test::ManualClock clock_;
  std::unique_ptr<Table> table_;

  std::map<int, bool> exists_;
  std::map<int, std::uint16_t> ports_;
  bool resolver_up_ = false;
  std::set<std::string> resolving_;
  std::set<int> changed_;  // resolutions under way
  std::map<std::string, Stream> ads_;

  std::set<std::pair<std::size_t, int>> waiting_;
  std::map<std::pair<std::size_t, int>, std::optional<DestinationPtr>> held_;
};

TEST(TableAtRandom, WhoeverAsksIsAnsweredAndRightly) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    world.run(300);
    world.finish();
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace lazymesh::egress
