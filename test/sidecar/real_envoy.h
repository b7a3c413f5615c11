#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "base/ip.h"

namespace lazymesh::test {

/// The program that LAZYMESH_ENVOY names; nullopt if there is none, which is a failure where CI is
/// set and a skipped test elsewhere.
std::optional<std::string> envoy_program();

/// A real Envoy, ended with the object.
class RealEnvoy {
 public:
  /// Start it on a bootstrap (JSON) whose admin listener has port 0.
  RealEnvoy(const std::string& program, const std::string& bootstrap);
  ~RealEnvoy();

  /// Whether all of its first configuration is in force.
  bool ready() const;
  /// What it logged of level warning and above, but for what it logs whatever it is told.
  std::string log() const;

  /// `--mode validate`: empty if it accepts the bootstrap without a warning, else what it said.
  static std::string objection(const std::string& program, const std::string& bootstrap);

 private:
  std::string folder_;
  pid_t pid_ = -1;
  SocketAddress admin_;
};

}  // namespace lazymesh::test
