// Which calls never wait behind which others: both unary clients keep these apart.
#pragma once

#include <string_view>

namespace loglink {

enum class UnaryLane {
  kLease,   // a renewal that waits loses the leadership
  kAnswer,  // what is written on pods, and Events: a webhook that hangs there holds up nothing else
  kOther,
};

// How many answers are under way at once; the client's maker says how many others.
inline constexpr int kAnswerCallsAtOnce = 2;

// By the request's target, as lib/kube/requests.h makes it.
UnaryLane unary_lane(std::string_view target);

}  // namespace loglink
