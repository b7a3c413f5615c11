#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/result.h"
#include "lazy-controller/publish/xds/messages.h"

namespace boost::asio {
class io_context;
}
namespace grpc {
class CallbackGenericService;
}

namespace lazymesh::publish::xds {

/// One stream of the aggregated discovery service, as the control thread drives it: one read and
/// one write at a time.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual Variant variant() const = 0;
  /// "ipv4:10.0.0.1:80".
  virtual const std::string& peer() const = 0;
  /// Ask for the next request: Events::received or ended follows.
  virtual void read() = 0;
  /// Send a response, of `bytes` bytes: Events::written follows.
  virtual std::size_t write(const Response& response) = 0;
  /// End the stream; nothing is asked of it and nothing follows from it any more.
  virtual void finish(const Error& why) = 0;
};
using ConnectionPtr = std::shared_ptr<Connection>;

/// What happens on the streams; on the control thread.
class Events {
 public:
  virtual ~Events() = default;
  /// The first request is being read.
  virtual void opened(const ConnectionPtr& connection) = 0;
  virtual void received(const ConnectionPtr& connection, Result<Request> request) = 0;
  virtual void written(const ConnectionPtr& connection) = 0;
  /// The client went away, or has nothing more to say.
  virtual void ended(const ConnectionPtr& connection) = 0;
};

/// The gRPC shell: a generic service, so that responses are bytes that exist already. gRPC's
/// threads parse requests and post to the control thread; they own nothing.
class AdsService {
 public:
  /// `events` is told nothing after close(). Above `max_streams`, or `max_streams_of_one` of one
  /// address, streams are refused.
  static std::unique_ptr<AdsService> make(boost::asio::io_context& control, Events& events,
                                          std::size_t max_streams, std::size_t max_streams_of_one);
  virtual ~AdsService() = default;

  /// Must outlive the gRPC server.
  virtual grpc::CallbackGenericService& service() = 0;
  /// Control thread: end all streams, refuse new ones.
  virtual void close() = 0;
};

}  // namespace lazymesh::publish::xds
