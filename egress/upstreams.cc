#include "egress/upstreams.h"

#include <algorithm>

namespace lazymesh::egress {

UpstreamConnection::UpstreamConnection(std::shared_ptr<Stream> stream, EndpointPtr endpoint,
                                       DeadlineWheel& wheel)
    : Deadline(wheel), stream_(std::move(stream)), endpoint_(std::move(endpoint)) {
  endpoint_->upstreams_.stats_.upstream_opened.add(1);
}

UpstreamConnection::~UpstreamConnection() {
  endpoint_->upstreams_.stats_.upstream_closed.add(1);
  stream_->close();
}

void UpstreamConnection::on_ready() { discard(); }

void UpstreamConnection::expired() { discard(); }

void UpstreamConnection::discard() {
  const auto endpoint = endpoint_;  // outlives this
  auto& idle = endpoint->idle_;
  const auto found = std::find_if(idle.begin(), idle.end(),
                                  [this](const auto& each) { return each.get() == this; });
  if (found == idle.end()) return;
  const auto self = std::move(*found);
  idle.erase(found);
  --endpoint->upstreams_.idle_;
}

Endpoint::~Endpoint() { upstreams_.endpoints_.erase(std::pair(cluster_, address_)); }

Cluster::Cluster(UpstreamClusterPtr snapshot, Upstreams& upstreams)
    : snapshot_(std::move(snapshot)) {
  std::uint64_t sum = 0;
  choices_.reserve(snapshot_->endpoints.size());
  for (const auto& endpoint : snapshot_->endpoints) {
    const auto weight = std::max(endpoint.weight, 1U);
    sum += weight;
    choices_.push_back({upstreams.endpoint(snapshot_->name, endpoint.address), weight, sum});
  }
}

const Cluster::Choice& Cluster::draw(Random& random) const {
  const auto point = random.next() % choices_.back().up_to;
  return *std::upper_bound(choices_.begin(), choices_.end(), point,
                           [](std::uint64_t at, const Choice& each) { return at < each.up_to; });
}

EndpointPtr Cluster::pick(Random& random, std::span<const EndpointPtr> tried) const {
  if (choices_.empty()) return nullptr;
  if (choices_.size() == 1) return choices_.front().endpoint;
  const auto was_tried = [tried](const Choice& each) {
    return std::find(tried.begin(), tried.end(), each.endpoint) != tried.end();
  };
  const Choice& a = draw(random);
  const Choice& b = draw(random);
  const auto load = [](const Choice& each) {
    return static_cast<double>(each.endpoint->in_flight() + 1) / each.weight;
  };
  const Choice& better = load(b) < load(a) ? b : a;
  if (tried.empty() || !was_tried(better)) return better.endpoint;
  // On a retry the drawn one may be the one that failed: any other will do.
  const auto start = random.next() % choices_.size();
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    const Choice& each = choices_[(start + i) % choices_.size()];
    if (!was_tried(each)) return each.endpoint;
  }
  return better.endpoint;
}

EndpointPtr Upstreams::endpoint(const std::string& cluster, const SocketAddress& address) {
  auto& known = endpoints_[std::pair(cluster, address)];
  auto endpoint = known.lock();
  if (!endpoint) {
    endpoint = std::make_shared<Endpoint>(*this, cluster, address);
    known = endpoint;
  }
  return endpoint;
}

UpstreamConnectionPtr Upstreams::reuse(Endpoint& endpoint, bool once) {
  while (!endpoint.idle_.empty()) {
    auto connection = std::move(endpoint.idle_.back());
    endpoint.idle_.pop_back();
    --idle_;
    if (once && !connection->stream_->is_silent()) continue;
    connection->clear();
    connection->stream_->listen(nullptr);
    connection->reused_ = true;
    return connection;
  }
  return nullptr;
}

UpstreamConnectionPtr Upstreams::adopt(std::shared_ptr<Stream> stream, EndpointPtr endpoint) {
  return std::make_unique<UpstreamConnection>(std::move(stream), std::move(endpoint), wheel_);
}

void Upstreams::keep(UpstreamConnectionPtr connection) {
  auto& endpoint = *connection->endpoint_;
  const bool room =
      endpoint.idle_.size() < limits_.idle_upstreams_per_endpoint && idle_ < limits_.idle_upstreams;
  auto& stream = *connection->stream_;
  // A last read that just filled its buffer leaves open whether there is more: there must not be.
  if (closed_ || !room || (stream.readable() && (stream.peer_closed() || stream.readable())))
    return;
  connection->set(clock_.steady() + limits_.upstream_idle_time);
  connection->stream_->listen(connection.get());
  connection->stream_->wait_readable();
  ++idle_;
  endpoint.idle_.push_back(std::move(connection));
}

void Upstreams::close() {
  closed_ = true;
  std::vector<EndpointPtr> all;
  for (const auto& [key, each] : endpoints_) {
    if (auto endpoint = each.lock()) all.push_back(std::move(endpoint));
  }
  for (const auto& endpoint : all) {
    auto idle = std::move(endpoint->idle_);
    endpoint->idle_.clear();
    idle_ -= idle.size();
  }
}

}  // namespace lazymesh::egress
