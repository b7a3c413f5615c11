#include "test/sidecar/real_envoy.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/sidecar/sockets.h"

namespace lazymesh::test {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// All but the advice to limit downstream connections, which every Envoy without a limit gives.
std::string warnings(const std::string& path) {
  std::ifstream file(path);
  std::string result;
  for (std::string line; std::getline(file, line);) {
    if (line.find("global_downstream_max_connections") != line.npos) continue;
    result.append(line).append(line.empty() ? "" : "\n");
  }
  return result;
}

std::string make_folder() {
  std::string name = std::filesystem::temp_directory_path() / "lazymesh-sidecar-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
  return name;
}

pid_t start(const std::string& program, const std::string& folder, const std::string& bootstrap,
            const std::vector<std::string>& more) {
  std::ofstream(folder + "/bootstrap.json") << bootstrap;
  std::vector<std::string> words{program,         "-c",     folder + "/bootstrap.json",
                                 "--concurrency", "1",      "--disable-hot-restart",
                                 "--log-level",   "warning"};
  words.insert(words.end(), more.begin(), more.end());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string log = folder + "/log";
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::execv(program.c_str(), arguments.data());
  ::_exit(127);
}

}  // namespace

std::optional<std::string> envoy_program() {
  if (const char* program = std::getenv("LAZYMESH_ENVOY")) return program;
  EXPECT_EQ(std::getenv("CI"), nullptr) << "LAZYMESH_ENVOY names no Envoy";
  return std::nullopt;
}

RealEnvoy::RealEnvoy(const std::string& program, const std::string& bootstrap)
    : folder_(make_folder()) {
  const std::string admin_file = folder_ + "/admin";
  pid_ = start(program, folder_, bootstrap, {"--admin-address-path", admin_file});
  const bool started = eventually([&] {
    const auto address = SocketAddress::parse(read_file(admin_file));
    if (address) admin_ = *address;
    return address.has_value() && admin_.port != 0;
  });
  EXPECT_TRUE(started) << log();
}

RealEnvoy::~RealEnvoy() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  std::filesystem::remove_all(folder_);
}

bool RealEnvoy::ready() const {
  Connection connection(admin_);
  connection.write("GET /ready HTTP/1.1\r\nHost: admin\r\n\r\n");
  return connection.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 ");
}

std::string RealEnvoy::log() const { return warnings(folder_ + "/log"); }

std::string RealEnvoy::objection(const std::string& program, const std::string& bootstrap) {
  const auto folder = make_folder();
  const pid_t pid = start(program, folder, bootstrap, {"--mode", "validate"});
  int status = 0;
  ::waitpid(pid, &status, 0);
  auto said = warnings(folder + "/log");
  std::filesystem::remove_all(folder);
  return status == 0 && said.ends_with("' OK\n") && said.find("[") == said.npos ? "" : said;
}

}  // namespace lazymesh::test
