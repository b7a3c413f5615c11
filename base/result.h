#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace lazymesh {

/// What kind of failure an Error is; what a caller may branch on.
enum class Code {
  kInvalidArgument,    ///< the input is wrong and will be wrong again
  kNotFound,           ///< the thing named does not exist
  kAlreadyExists,      ///< the thing named exists and may not be made twice
  kPermissionDenied,   ///< the caller may not do this
  kUnavailable,        ///< a peer cannot be reached now
  kDeadlineExceeded,   ///< a peer did not answer in time
  kResourceExhausted,  ///< a configured limit was reached
  kInternal,           ///< a bug or a broken dependency of ours
};

/// Whose failure it is: decides the response flag, the log and the metric.
enum class Origin { kLocal, kDownstream, kUpstream, kControlPlane };

/// Whether the same operation may be tried again without asking anybody.
enum class Retry { kNever, kSafe };

/// A failure as a value. The message is one line that names the place and, where there is one, the
/// remedy.
struct Error {
  Code code = Code::kInternal;
  std::string message;
  Origin origin = Origin::kLocal;
  Retry retry = Retry::kNever;

  /// The same error seen from further out: "CONTEXT: message".
  Error within(std::string_view context) && {
    message.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }
};

/// The one error convention of the project. Exceptions are for start-up and bugs only.
template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(Code::kNotFound, "…");` from a function that returns Result<T>.
inline tl::unexpected<Error> fail(Code code, std::string message, Origin origin = Origin::kLocal,
                                  Retry retry = Retry::kNever) {
  return tl::unexpected<Error>(Error{code, std::move(message), origin, retry});
}

/// The name of a code as it appears in logs and metrics: `not_found`.
std::string_view to_string(Code code);
std::string_view to_string(Origin origin);

}  // namespace lazymesh
