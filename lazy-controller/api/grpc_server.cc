#include "lazy-controller/api/grpc_server.h"

#include <string>
#include <utility>

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include "base/clock.h"

namespace lazymesh::api {
namespace {

constexpr int kMaxRequestBytes = 64 * 1024 * 1024;
constexpr int kKeepaliveMilliseconds = 30'000;

class Server final : public GrpcServer {
 public:
  Server(std::unique_ptr<grpc::Server> server, SocketAddress address)
      : server_(std::move(server)), address_(address) {}

  SocketAddress address() const override { return address_; }

  void shut_down(std::chrono::milliseconds grace) override {
    server_->Shutdown(system_clock().wall() + grace);
  }

 private:
  std::unique_ptr<grpc::Server> server_;
  SocketAddress address_;
};

}  // namespace

Result<std::unique_ptr<GrpcServer>> GrpcServer::listen(const SocketAddress& address,
                                                       const std::vector<grpc::Service*>& services,
                                                       grpc::CallbackGenericService& generic) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  int port = 0;
  builder.AddListeningPort(address.to_string(), grpc::InsecureServerCredentials(), &port);
  for (auto* service : services) builder.RegisterService(service);
  builder.RegisterCallbackGenericService(&generic);
  auto server = builder.BuildAndStart();
  if (!server || port == 0) {
    return fail(Code::kUnavailable,
                "gRPC listener " + address.to_string() +
                    " cannot be bound: is another controller running? Give another "
                    "address with --grpc");
  }
  return std::make_unique<Server>(std::move(server),
                                  SocketAddress{address.ip, static_cast<std::uint16_t>(port)});
}

}  // namespace lazymesh::api
