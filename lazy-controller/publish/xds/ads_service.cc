#include "lazy-controller/publish/xds/ads_service.h"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include "lazy-controller/publish/xds/admission.h"
#include "lazy-controller/publish/xds/wire.h"

namespace lazymesh::publish::xds {
namespace {

constexpr std::string_view kDeltaMethod =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
constexpr std::string_view kStateOfTheWorldMethod =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

grpc::Status to_status(const Error& error) {
  switch (error.code) {
    case Code::kInvalidArgument:
      return {grpc::StatusCode::INVALID_ARGUMENT, error.message};
    case Code::kNotFound:
      return {grpc::StatusCode::NOT_FOUND, error.message};
    case Code::kPermissionDenied:
      return {grpc::StatusCode::PERMISSION_DENIED, error.message};
    case Code::kResourceExhausted:
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, error.message};
    case Code::kUnavailable:
      return {grpc::StatusCode::UNAVAILABLE, error.message};
    default:
      return {grpc::StatusCode::INTERNAL, error.message};
  }
}

// A slice of bytes that somebody else owns; its release may happen on any thread.
grpc::Slice to_slice(const Piece& piece) {
  constexpr std::size_t kWorthSharing = 64;
  if (piece.bytes.size() < kWorthSharing) return {piece.bytes.data(), piece.bytes.size()};
  using Owner = std::shared_ptr<const std::string>;
  return {const_cast<char*>(piece.bytes.data()), piece.bytes.size(),
          [](void* owner) { delete static_cast<Owner*>(owner); }, new Owner(piece.owner)};
}

grpc::ByteBuffer to_buffer(const std::vector<Piece>& pieces) {
  std::vector<grpc::Slice> slices;
  slices.reserve(pieces.size());
  for (const auto& piece : pieces) slices.push_back(to_slice(piece));
  return {slices.data(), slices.size()};
}

Result<Request> to_request(Variant variant, const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok()) {
    return fail(Code::kInvalidArgument, "an unreadable message", Origin::kDownstream);
  }
  return parse_request(
      variant, std::string_view(reinterpret_cast<const char*>(slice.begin()), slice.size()));
}

class Reactor;

// What reactors and the service share, and what outlives the service.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(boost::asio::io_context& control, Events& events, Places places)
      : control_(control), events_(&events), places_(std::move(places)) {}

  // Any thread: an error if the stream may not be.
  Result<void> add(const std::shared_ptr<Reactor>& reactor, const std::string& peer) {
    const auto address = parse_peer(peer);
    if (!address) return tl::unexpected(address.error());
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(Code::kUnavailable, "the controller is shutting down");
    auto taken = places_.take(*address);
    if (taken) reactors_.emplace(reactor, *address);
    return taken;
  }

  // Any thread.
  void remove(const std::shared_ptr<Reactor>& reactor) {
    const std::lock_guard lock(mutex_);
    const auto found = reactors_.find(reactor);
    if (found == reactors_.end()) return;
    places_.give_back(found->second);
    reactors_.erase(found);
  }

  // Any thread: tell the control thread, unless nobody listens any more.
  template <class Tell>
  void post(Tell tell) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    boost::asio::post(control_, [self = shared_from_this(), tell = std::move(tell)]() mutable {
      if (self->events_ != nullptr) tell(*self->events_);
    });
  }

  // Control thread: whom to end.
  std::map<std::shared_ptr<Reactor>, IpAddress> close() {
    events_ = nullptr;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    return std::exchange(reactors_, {});
  }

 private:
  boost::asio::io_context& control_;  // not touched once closed
  Events* events_;                    // control thread; null once closed
  std::mutex mutex_;
  Places places_;
  bool closed_ = false;
  std::map<std::shared_ptr<Reactor>, IpAddress> reactors_;
};

// Keeps itself alive until gRPC is done with it. Only the control thread starts operations, but for
// the very first read.
class Reactor final : public grpc::ServerGenericBidiReactor,
                      public Connection,
                      public std::enable_shared_from_this<Reactor> {
 public:
  Reactor(std::shared_ptr<Core> core, grpc::GenericCallbackServerContext& context, Variant variant)
      : core_(std::move(core)), context_(context), variant_(variant), peer_(context.peer()) {}

  void start() {
    self_ = shared_from_this();
    if (auto added = core_->add(self_, peer_); !added) {
      Finish(to_status(added.error()));
      return;
    }
    core_->post([self = self_](Events& events) { events.opened(self); });
    StartRead(&request_);
  }

  Variant variant() const override { return variant_; }
  const std::string& peer() const override { return peer_; }

  void read() override { StartRead(&request_); }

  std::size_t write(const Response& response) override {
    response_ = to_buffer(encode(variant_, response));
    writing_ = true;
    StartWrite(&response_);
    return response_.Length();
  }

  // A response on its way is let through first.
  void finish(const Error& why) override {
    if (finished_) return;
    finished_ = true;
    if (writing_) {
      last_words_ = to_status(why);
    } else {
      Finish(to_status(why));
    }
  }

  // Control thread, the last that it does: whatever is under way is given up.
  void abort(const Error& why) {
    if (finished_ && !writing_) return;
    finished_ = true;
    if (std::exchange(writing_, false)) context_.TryCancel();
    Finish(to_status(why));
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return end();
    auto request = to_request(variant_, request_);
    request_.Clear();
    core_->post([self = self_, request = std::move(request)](Events& events) mutable {
      if (!self->finished_) events.received(self, std::move(request));
    });
  }

  void OnWriteDone(bool ok) override {
    core_->post([self = self_, ok](Events& events) { self->wrote(ok, events); });
  }

  void OnCancel() override { end(); }

  void OnDone() override {
    core_->remove(self_);
    self_.reset();
  }

  void end() {
    core_->post([self = self_](Events& events) {
      if (!self->finished_) events.ended(self);
    });
  }

  void wrote(bool ok, Events& events) {
    writing_ = false;
    if (finished_) {
      Finish(last_words_);
    } else if (ok) {
      events.written(shared_from_this());
    } else {
      events.ended(shared_from_this());
    }
  }

  const std::shared_ptr<Core> core_;
  grpc::GenericCallbackServerContext& context_;  // until Finish
  const Variant variant_;
  const std::string peer_;
  std::shared_ptr<Reactor> self_;  // until OnDone
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;

  // Control thread.
  bool writing_ = false;
  bool finished_ = false;
  grpc::Status last_words_;
};

// For what is not served here: ends at once.
class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const std::string& method) {
    Finish({grpc::StatusCode::UNIMPLEMENTED, method + " is not served here"});
  }
  void OnDone() override { delete this; }
};

class Service final : public AdsService, public grpc::CallbackGenericService {
 public:
  Service(boost::asio::io_context& control, Events& events, Places places)
      : core_(std::make_shared<Core>(control, events, std::move(places))) {}
  ~Service() override { close(); }

  grpc::CallbackGenericService& service() override { return *this; }

  void close() override {
    const Error bye{Code::kUnavailable, "the controller is shutting down"};
    for (const auto& [reactor, _] : core_->close()) reactor->abort(bye);
  }

 private:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    const auto& method = context->method();
    const bool delta = method == kDeltaMethod;
    if (!delta && method != kStateOfTheWorldMethod) return new Refusal(method);
    const auto reactor = std::make_shared<Reactor>(
        core_, *context, delta ? Variant::kDelta : Variant::kStateOfTheWorld);
    reactor->start();
    return reactor.get();
  }

  const std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<AdsService> AdsService::make(boost::asio::io_context& control, Events& events,
                                             std::size_t max_streams,
                                             std::size_t max_streams_of_one) {
  return std::make_unique<Service>(control, events, Places(max_streams, max_streams_of_one));
}

}  // namespace lazymesh::publish::xds
