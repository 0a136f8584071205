// What the kernel is told about connections to the API server; the same for both HTTP clients.
#pragma once

#include <chrono>

namespace loglink {

enum class ConnectionUse { kStream, kUnary };

// How long the kernel goes on sending what nobody acknowledges. A write that leaves in the last
// moment of a leader's right to write (renewDeadline, 10 s after its renewal) is given up before
// another may lead (leaseDuration, 15 s after it), also where this process stands still.
inline constexpr std::chrono::seconds kUnaryGiveUp(5);
inline constexpr std::chrono::seconds kStreamGiveUp(30);

// A peer that is gone without a word is noticed within 30 s, with or without data under way. On a
// unary connection, closing it (a killed process does, too) drops what the kernel has not sent yet
// and resets it: by default the kernel would go on sending on its own, beyond UnaryRequest's
// not_after.
void set_connection_options(int socket, ConnectionUse use);

}  // namespace loglink
