#include "als/sender.h"

#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <spdlog/spdlog.h>

#include "envoy/service/accesslog/v3/als.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

#include "als/backoff.h"
#include "als/convert.h"
#include "als/message_arena.h"
#include "als/send_queue.h"

namespace lazymesh::als {
namespace {

using envoy::service::accesslog::v3::AccessLogService;
using envoy::service::accesslog::v3::StreamAccessLogsMessage;
using envoy::service::accesslog::v3::StreamAccessLogsResponse;

constexpr std::chrono::seconds kFlushAtEnd{1};
// A stream that lasted this long was a good one: the next failure starts a new back-off.
constexpr std::chrono::seconds kGoodStream{5};

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : sent(counter(registry, "lazymesh_als_entries_sent_total", "Entries handed to the stream")),
        dropped(counter(registry, "lazymesh_als_entries_dropped_total",
                        "Entries dropped because the queue was full")),
        lost(counter(registry, "lazymesh_als_entries_lost_total",
                     "Entries given up: of messages that failed twice, or unsent at the end")),
        bytes(counter(registry, "lazymesh_als_bytes_sent_total", "Bytes handed to the stream")),
        streams(counter(registry, "lazymesh_als_streams_total", "Streams opened")),
        queue(gauge(registry, "lazymesh_als_queue_bytes", "Bytes of entries that wait")),
        up(gauge(registry, "lazymesh_als_stream_up", "1 while the stream takes messages")) {}

  static prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name,
                                  const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }
  static prometheus::Counter& counter(prometheus::Registry& registry, const char* name,
                                      const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
  }

  prometheus::Counter& sent;
  prometheus::Counter& dropped;
  prometheus::Counter& lost;
  prometheus::Counter& bytes;
  prometheus::Counter& streams;
  prometheus::Gauge& queue;
  prometheus::Gauge& up;
};

// What other threads tell the sender's thread.
struct Shared {
  explicit Shared(SendQueue::Limits limits) : queue(limits) {}

  std::mutex mutex;  // guards all that is here and what a Stream says
  std::condition_variable changed;
  SendQueue queue;
  std::optional<SteadyTime> stop_by;  // set: send what is queued, but no longer than that
};

// One stream, made and ended by the sender's thread. A hold keeps it open for writes from there
// until end() or release(); it is over once `done` is set, after which gRPC touches it no more.
class Stream final : public grpc::ClientWriteReactor<StreamAccessLogsMessage> {
 public:
  Stream(Shared& shared, AccessLogService::Stub& stub) : shared_(shared) {
    context_.set_wait_for_ready(true);  // connecting, and its back-off, is the channel's affair
    stub.async()->StreamAccessLogs(&context_, &response_, this);
    AddHold();
    StartCall();
  }

  void write(const StreamAccessLogsMessage& message) { StartWrite(&message); }
  void end() {
    StartWritesDone();
    RemoveHold();
  }
  void release() { RemoveHold(); }
  void cancel() { context_.TryCancel(); }

  // Under the mutex:
  bool writing = false;  // a write was started and is not done
  bool broken = false;   // a write failed
  bool done = false;
  grpc::Status status;  // once done

 private:
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(shared_.mutex);
    writing = false;
    broken = !ok;
    shared_.changed.notify_one();
  }
  void OnDone(const grpc::Status& result) override {
    const std::lock_guard lock(shared_.mutex);
    status = result;
    done = true;
    shared_.changed.notify_one();
  }

  Shared& shared_;
  grpc::ClientContext context_;
  StreamAccessLogsResponse response_;
};

SendQueue::Limits queue_limits(const Sender::Options& options) {
  SendQueue::Limits limits;
  limits.max_bytes = options.max_queue_bytes;
  limits.flush_bytes = options.flush_bytes;
  limits.flush_interval = options.flush_interval;
  return limits;
}

std::shared_ptr<grpc::Channel> channel_to(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);  // an attempt may take as long
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A peer that vanished without a word is noticed.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

// Callers only queue. A thread of its own makes messages of the entries and writes them, one at a
// time, over one stream after the other.
class GrpcSender final : public Sender {
 public:
  GrpcSender(Options options, const Clock& clock, prometheus::Registry& registry)
      : options_(std::move(options)),
        clock_(clock),
        metrics_(registry),
        shared_(queue_limits(options_)),
        stub_(AccessLogService::NewStub(channel_to(options_.target))),
        thread_([this] { run(); }) {}

  ~GrpcSender() override {
    {
      const std::lock_guard lock(shared_.mutex);
      shared_.stop_by = clock_.steady() + kFlushAtEnd;
      shared_.changed.notify_one();
    }
    thread_.join();
  }

  void log(AccessLogEntry entry) override {
    const auto now = clock_.steady();
    const std::lock_guard lock(shared_.mutex);
    const auto due = shared_.queue.due();
    if (!shared_.queue.push(now, std::move(entry))) {
      metrics_.dropped.Increment();
      return;
    }
    metrics_.queue.Set(static_cast<double>(shared_.queue.bytes()));
    if (shared_.queue.due() != due) {
      shared_.changed.notify_one();  // it is the first that waits, or there are enough now
    }
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

  void run() {
    Lock lock(shared_.mutex);
    while (next_message(lock)) {
      if (!stream_) open(lock);
      if (write(lock)) continue;
      const auto status = close(lock);
      if (!shared_.stop_by) pause(lock, status);
    }
    if (stream_) close(lock);
    const std::size_t unsent = entries_ + shared_.queue.size();
    if (unsent == 0) return;
    metrics_.lost.Increment(static_cast<double>(unsent));
    spdlog::warn("als: {} entries could not be sent to {} before the end", unsent, options_.target);
  }

  // Wait until `true_now`; false if `until` comes first.
  template <class Predicate>
  bool wait(Lock& lock, std::optional<SteadyTime> until, Predicate true_now) {
    while (!true_now()) {
      if (!until) {
        shared_.changed.wait(lock);
        continue;
      }
      const auto now = clock_.steady();
      if (now >= *until) return false;
      shared_.changed.wait_for(lock, *until - now);
    }
    return true;
  }
  bool out_of_time() const { return shared_.stop_by && clock_.steady() >= *shared_.stop_by; }

  // Make the message that is to be written next, once one is due; false at the end.
  bool next_message(Lock& lock) {
    while (entries_ == 0) {
      const auto due = shared_.queue.due();
      if (shared_.stop_by && !due) return false;
      if (shared_.stop_by || (due && *due <= clock_.steady())) {
        fill(lock);
        break;
      }
      wait(lock, due, [&] { return shared_.stop_by || shared_.queue.due() != due; });
    }
    return !out_of_time();
  }

  void fill(Lock& lock) {
    const auto entries = shared_.queue.take();
    metrics_.queue.Set(static_cast<double>(shared_.queue.bytes()));
    lock.unlock();
    message_ = &arena_.replace<StreamAccessLogsMessage>();
    for (const auto& entry : entries) {
      if (entry.http) {
        to_proto(entry, *message_->mutable_http_logs()->add_log_entry());
      } else {
        to_proto(entry, *message_->mutable_tcp_logs()->add_log_entry());
      }
    }
    entries_ = entries.size();
    failures_ = 0;
    lock.lock();
  }

  void open(Lock& lock) {
    lock.unlock();
    stream_ = std::make_unique<Stream>(shared_, *stub_);
    identified_ = false;
    opened_ = clock_.steady();
    metrics_.streams.Increment();
    lock.lock();
  }

  // Write the message; false if the stream broke. It is kept then: a stream that broke while
  // nothing was written shows it by the next write only, which goes once more over the next
  // stream.
  bool write(Lock& lock) {
    Stream& stream = *stream_;
    if (identified_) {
      message_->clear_identifier();
    } else {
      message_->mutable_identifier()->mutable_node()->set_id(options_.node_id);
      message_->mutable_identifier()->set_log_name(options_.log_name);
    }
    const auto bytes = static_cast<double>(message_->ByteSizeLong());
    stream.writing = true;
    lock.unlock();
    stream.write(*message_);
    lock.lock();
    const auto written = [&] { return !stream.writing; };
    wait(lock, std::nullopt, [&] { return written() || shared_.stop_by; });
    if (!wait(lock, shared_.stop_by, written)) {
      stream.cancel();
      wait(lock, std::nullopt, written);
    }
    metrics_.up.Set(stream.broken ? 0 : 1);
    if (!stream.broken) {
      identified_ = true;
      metrics_.sent.Increment(static_cast<double>(entries_));
      metrics_.bytes.Increment(bytes);
      entries_ = 0;
    } else if (++failures_ == 2) {
      metrics_.lost.Increment(static_cast<double>(entries_));
      entries_ = 0;
    }
    return !stream.broken;
  }

  // End the stream and wait until gRPC is done with it.
  grpc::Status close(Lock& lock) {
    Stream& stream = *stream_;
    const bool broken = stream.broken;
    lock.unlock();
    if (broken) {
      stream.release();
    } else {
      stream.end();
    }
    lock.lock();
    const auto done = [&] { return stream.done; };
    if (!wait(lock, shared_.stop_by.value_or(clock_.steady() + kFlushAtEnd), done)) {
      stream.cancel();
      wait(lock, std::nullopt, done);
    }
    grpc::Status status = stream.status;
    stream_.reset();
    metrics_.up.Set(0);
    return status;
  }

  void pause(Lock& lock, const grpc::Status& status) {
    const auto now = clock_.steady();
    if (now - opened_ >= kGoodStream) backoff_.reset();
    const auto delay = backoff_.next(std::uniform_real_distribution<double>()(random_));
    spdlog::warn("als: the stream to {} ended ({} {}); the next in {} ms", options_.target,
                 static_cast<int>(status.error_code()), status.error_message(), delay.count());
    wait(lock, now + delay, [&] { return shared_.stop_by.has_value(); });
  }

  const Options options_;
  const Clock& clock_;
  Metrics metrics_;
  Shared shared_;
  std::unique_ptr<AccessLogService::Stub> stub_;

  // The thread's own:
  std::unique_ptr<Stream> stream_;
  bool identified_ = false;  // the stream's first message is written
  SteadyTime opened_;
  MessageArena arena_;
  StreamAccessLogsMessage* message_ = nullptr;  // in the arena
  std::size_t entries_ = 0;                     // in the message; 0: there is none
  int failures_ = 0;                            // of the message
  Backoff backoff_{{}};
  std::minstd_rand random_{std::random_device{}()};

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<Sender> Sender::make(Options options, const Clock& clock,
                                     prometheus::Registry& metrics) {
  return std::make_unique<GrpcSender>(std::move(options), clock, metrics);
}

}  // namespace lazymesh::als
