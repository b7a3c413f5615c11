#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lazymesh {

/// What a program still waits for before it may serve, and what is wrong although it serves.
/// `/readyz` prints both by name. Safe from any thread.
class Readiness {
  struct State;

 public:
  /// One reason, in force for as long as this value lives (or until clear()).
  class Token {
   public:
    Token() = default;
    Token(Token&&) noexcept = default;
    Token& operator=(Token&& other) noexcept;
    ~Token();
    void clear();

   private:
    friend class Readiness;
    Token(std::shared_ptr<State> state, std::uint64_t id);
    std::shared_ptr<State> state_;
    std::uint64_t id_ = 0;
  };

  Readiness();

  /// Not ready while the token lives: "registry: not loaded yet".
  [[nodiscard]] Token block(std::string reason);
  /// Ready, but degraded while the token lives: "registry: mesh.yaml:12: …; the last good one is in
  /// force".
  [[nodiscard]] Token warn(std::string reason);

  std::vector<std::string> blockers() const;
  std::vector<std::string> warnings() const;
  bool ready() const { return blockers().empty(); }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace lazymesh
