// What kube-apiserver's audit log says of the controllers' writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace loglink::testing {

// A write that the server took.
struct AuditedWrite {
  std::uint64_t resource_version = 0;
  std::string resource;  // "leases", "nodelinksets" or "pods" (their status)
  std::string name;
  std::string uid;
  std::int64_t generation = 0;
  std::string user;  // each process has its own
};

struct AuditLog {
  // By resourceVersion, which is one sequence in etcd: what came first. A write that changed
  // nothing is not there.
  std::vector<AuditedWrite> writes;
  // Users that opened a watch of pods with its initial events; one entry for each time.
  std::vector<std::string> pod_lists;
  // Users whose write was answered 429; one entry for each time.
  std::vector<std::string> too_many;
};

AuditLog read_audit_log(const std::filesystem::path& path);

// Writes of a process that had lost the lease `lease`, to an object that a later leader had written
// by then, and generations that went back; a line each.
std::vector<std::string> writes_out_of_order(const AuditLog& log, const std::string& lease);

// All writes of processes that did not hold the lease when the server took them. One that was on
// its way when its right ended is no harm as long as it is in order.
std::vector<std::string> late_writes(const AuditLog& log, const std::string& lease);

}  // namespace loglink::testing
