#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <grpcpp/grpcpp.h>

namespace lazymesh::egress {

/// One attempt at a bidirectional stream: gRPC's callbacks, brought to the control thread. All
/// methods, and all events, are the control thread's; gRPC's own threads only post. The next
/// response is read when the last one has been handled, so that a fast server is held back.
/// Internal to client.cc: the only header that includes Asio and gRPC.
template <class Request, class Response>
class StreamCall final : public grpc::ClientBidiReactor<Request, Response>,
                         public std::enable_shared_from_this<StreamCall<Request, Response>> {
 public:
  struct Events {
    std::function<void()> opened;  ///< once: the peer was reached
    std::function<void(const Response&)> received;
    std::function<void()> writable;                  ///< after each write
    std::function<void(const grpc::Status&)> ended;  ///< once, last; not after cancel()
    std::function<void()> done;  ///< once, always: nothing of gRPC's refers to it any more
  };

  StreamCall(std::shared_ptr<boost::asio::io_context> control, Events events)
      : control_(std::move(control)), events_(std::move(events)) {}

  /// `begin` hands context and reactor to the generated method.
  void start(const std::function<void(grpc::ClientContext*, StreamCall*)>& begin) {
    self_ = this->shared_from_this();
    begin(&context_, this);
    this->AddHold();  // writes are started outside of gRPC's callbacks
    this->StartRead(&response_);
    this->StartCall();
  }

  /// The peer was reached.
  bool opened() const { return opened_; }
  bool writable() const { return !writing_ && !ended_; }
  void write(Request request) {
    request_ = std::move(request);
    writing_ = true;
    this->StartWrite(&request_);
  }
  /// No further event but done().
  void cancel() {
    muted_ = true;
    context_.TryCancel();
  }

  void OnReadInitialMetadataDone(bool ok) override {
    if (ok) post(&StreamCall::reached);
  }
  void OnWriteDone(bool ok) override { post(ok ? &StreamCall::written : &StreamCall::not_written); }
  void OnReadDone(bool ok) override { post(ok ? &StreamCall::received : &StreamCall::over); }
  void OnDone(const grpc::Status& status) override {
    // Asio must outlive this call, although the control thread may drop everything at once.
    const auto control = control_;
    status_ = status;
    post(&StreamCall::done);
  }

 private:
  void post(void (StreamCall::*method)()) {
    boost::asio::post(*control_,
                      [call = this->shared_from_this(), method] { ((*call).*method)(); });
  }

  void reached() {
    if (muted_ || opened_ || ended_) return;
    opened_ = true;
    events_.opened();
  }

  void written() {
    writing_ = false;
    reached();
    if (!muted_ && !ended_) events_.writable();
  }

  // The failed read that comes with it says that the stream is over.
  void not_written() {}

  void received() {
    reached();
    if (!muted_) events_.received(response_);
    this->StartRead(&response_);
  }

  void over() {
    ended_ = true;
    this->RemoveHold();
  }

  void done() {
    if (!muted_) events_.ended(status_);
    events_.done();
    self_.reset();
  }

  const std::shared_ptr<boost::asio::io_context> control_;
  const Events events_;
  grpc::ClientContext context_;
  std::shared_ptr<StreamCall> self_;  // until gRPC is done
  Request request_;
  Response response_;
  grpc::Status status_;
  bool opened_ = false;
  bool writing_ = false;
  bool ended_ = false;
  bool muted_ = false;
};

}  // namespace lazymesh::egress
