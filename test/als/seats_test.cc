#include "als/seats.h"

#include <gtest/gtest.h>

namespace lazymesh::als {
namespace {

using Taken = Seats::Taken;

const IpAddress kWeb = IpAddress::v4({10, 1, 0, 1});
const IpAddress kApi = IpAddress::v4({10, 1, 0, 2});
const IpAddress kEgress = IpAddress::v4({10, 0, 0, 2});

TEST(Seats, OneWorkloadHasNoMoreThanItsShare) {
  Seats seats({.streams = 10, .for_egresses = 2, .of_a_workload = 2});
  EXPECT_EQ(seats.take(kWeb, Role::kWorkload), Taken::kYes);
  EXPECT_EQ(seats.take(kWeb, Role::kWorkload), Taken::kYes);
  EXPECT_EQ(seats.take(kWeb, Role::kWorkload), Taken::kTooManyOfPeer);
  EXPECT_EQ(seats.take(kApi, Role::kWorkload), Taken::kYes);
  seats.give_back(kWeb, Role::kWorkload);
  EXPECT_EQ(seats.take(kWeb, Role::kWorkload), Taken::kYes);
}

TEST(Seats, WorkloadsLeaveRoomForEgresses) {
  Seats seats({.streams = 4, .for_egresses = 2, .of_a_workload = 10});
  EXPECT_EQ(seats.take(kWeb, Role::kWorkload), Taken::kYes);
  EXPECT_EQ(seats.take(kWeb, Role::kWorkload), Taken::kYes);
  EXPECT_EQ(seats.take(kApi, Role::kWorkload), Taken::kFull);
  EXPECT_EQ(seats.take(kEgress, Role::kEgress), Taken::kYes);
  EXPECT_EQ(seats.take(kEgress, Role::kEgress), Taken::kYes);
  EXPECT_EQ(seats.take(kEgress, Role::kEgress), Taken::kFull);
  seats.give_back(kEgress, Role::kEgress);
  EXPECT_EQ(seats.take(kWeb, Role::kWorkload), Taken::kFull);
  EXPECT_EQ(seats.take(kEgress, Role::kEgress), Taken::kYes);
}

TEST(Seats, AnEgressMayHaveAllThatIsFree) {
  Seats seats({.streams = 3, .for_egresses = 1, .of_a_workload = 1});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(seats.take(kEgress, Role::kEgress), Taken::kYes);
}

}  // namespace
}  // namespace lazymesh::als
