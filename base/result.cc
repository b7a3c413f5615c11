#include "base/result.h"

namespace lazymesh {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kNotFound:
      return "not_found";
    case Code::kAlreadyExists:
      return "already_exists";
    case Code::kPermissionDenied:
      return "permission_denied";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kDeadlineExceeded:
      return "deadline_exceeded";
    case Code::kResourceExhausted:
      return "resource_exhausted";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

std::string_view to_string(Origin origin) {
  switch (origin) {
    case Origin::kLocal:
      return "local";
    case Origin::kDownstream:
      return "downstream";
    case Origin::kUpstream:
      return "upstream";
    case Origin::kControlPlane:
      return "control_plane";
  }
  return "local";
}

}  // namespace lazymesh
