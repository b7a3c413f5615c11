#include <csignal>
#include <random>
#include <semaphore>
#include <set>

#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lazy-controller/store/store.h"
#include "test/lazy-controller/store/support.h"

namespace lazymesh::store {
namespace {

// Saves dependencies for ever, small batches and large ones, and writes the number of each to `out`
// as soon as it is told that it was committed.
[[noreturn]] void save_for_ever(const std::string& path, int first, int out) {
  prometheus::Registry metrics;
  auto store = open_sqlite(path, metrics, {.queue = 10'000, .transaction = 100});
  if (!store) _exit(1);
  std::counting_semaphore<> room(64);
  for (int number = first;;) {
    room.acquire();
    std::vector<mesh::Dependency> batch;
    const int end = number + 1 + number % 20;
    const int begin = number;
    for (; number < end; ++number) batch.push_back(test::dependency(number));
    (*store)->save(std::move(batch), [=, &room](const Result<void>& result) {
      if (!result) _exit(3);
      for (int told = begin; told < end; ++told) {
        if (::write(out, &told, sizeof(told)) != sizeof(told)) _exit(2);
      }
      room.release();
    });
  }
}

// What the process that is killed was told to be committed is there afterwards, whenever it is.
TEST(SqliteStoreCrash, WhatWasCommittedSurvivesAKillAtAnyMoment) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.file("store.db");
  std::mt19937 random(1);  // the moments differ by themselves
  std::set<std::string> committed;
  int next = 0;
  for (int round = 0; round < 12; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      save_for_ever(path, next, pipe[1]);
    }
    ::close(pipe[1]);
    const auto enough = std::uniform_int_distribution<int>(1, 3000)(random);
    int told = 0;
    for (int i = 0; ::read(pipe[0], &told, sizeof(told)) == sizeof(told); ++i) {
      committed.insert(test::dependency(told).key.host);
      next = std::max(next, told + 1);
      if (i == enough) ::kill(child, SIGKILL);  // and read on what it still said
    }
    ::close(pipe[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child could not save";

    prometheus::Registry metrics;
    auto store = open_sqlite(path, metrics);
    ASSERT_TRUE(store) << store.error().message;
    const auto kept = (*store)->load();
    ASSERT_TRUE(kept) << kept.error().message;
    std::set<std::string> found;
    for (const auto& dependency : *kept) found.insert(dependency.key.host);
    for (const auto& host : committed) ASSERT_TRUE(found.contains(host)) << host;
  }
  EXPECT_GT(committed.size(), 12U);
}

}  // namespace
}  // namespace lazymesh::store
