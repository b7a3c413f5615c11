// Asio and Beast, compiled once here (BOOST_ASIO_SEPARATE_COMPILATION) instead of in every unit
// that includes them.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
