#include "agent/core/operation.h"

#include "lib/base/text.h"

namespace loglink {

std::string_view to_string(OperationReason reason) {
  switch (reason) {
    case OperationReason::kNewFile:
      return "NewFile";
    case OperationReason::kTargetChanged:
      return "TargetChanged";
    case OperationReason::kModeChanged:
      return "ModeChanged";
    case OperationReason::kWithdrawn:
      return "Withdrawn";
    case OperationReason::kNoSource:
      return "NoSource";
    case OperationReason::kTargetGone:
      return "TargetGone";
    case OperationReason::kNotARegularFile:
      return "NotARegularFile";
    case OperationReason::kUnsafeRoot:
      return "UnsafeRoot";
  }
  __builtin_unreachable();
}

std::string_view to_string(OperationKind kind) {
  switch (kind) {
    case OperationKind::kMake:
      return "make";
    case OperationKind::kReplace:
      return "replace";
    case OperationKind::kRemove:
      return "remove";
  }
  __builtin_unreachable();
}

std::string describe(const Operation& operation) {
  std::string text(to_string(operation.kind));
  text += " " + operation.name;
  if (operation.kind != OperationKind::kRemove) text += " -> " + operation.new_target;
  text += " (" + std::string(to_string(operation.reason)) + ")";
  return sanitize(text, 2048);
}

}  // namespace loglink
