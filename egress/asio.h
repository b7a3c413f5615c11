#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

/// Asio as the event loops use it: for the sources of the egress, not for its interface. The
/// executor is the loop's own type, since a type-erased one costs an allocation a step.
namespace lazymesh::egress {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;
template <class T = void>
using Awaitable = asio::awaitable<T, Executor>;

}  // namespace lazymesh::egress
