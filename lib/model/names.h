// Every key, name and word that loglink puts before users, the API server or other programs.
// tests/tidy checks them against the CRD, the chart and docs/reference.
#pragma once

#include <string_view>

namespace loglink::names {

// Request annotations: users own them.
inline constexpr std::string_view kAnnotationPrefix = "loglink/";
inline constexpr std::string_view kWatchDir = "loglink/watch-dir";
inline constexpr std::string_view kInclude = "loglink/include";
inline constexpr std::string_view kExclude = "loglink/exclude";
inline constexpr std::string_view kMaxDepth = "loglink/max-depth";

// Answers: the controller owns them.
inline constexpr std::string_view kStatus = "loglink/status";
inline constexpr std::string_view kLinks = "loglink/links";
inline constexpr std::string_view kMessage = "loglink/message";

// The kubelet's annotations on mirror pods of static pods.
inline constexpr std::string_view kConfigMirror = "kubernetes.io/config.mirror";
inline constexpr std::string_view kConfigHash = "kubernetes.io/config.hash";

inline constexpr std::string_view kGroup = "loglink.io";
inline constexpr std::string_view kVersion = "v1alpha1";
inline constexpr std::string_view kApiVersion = "loglink.io/v1alpha1";
inline constexpr std::string_view kKind = "NodeLinkSet";
inline constexpr std::string_view kListKind = "NodeLinkSetList";
inline constexpr std::string_view kPlural = "nodelinksets";

inline constexpr std::string_view kControllerName = "loglink-controller";
inline constexpr std::string_view kAgentName = "loglink-agent";
inline constexpr std::string_view kControllerFieldManager = "loglink-controller";
inline constexpr std::string_view kAgentFieldManager = "loglink-agent";
// events.k8s.io/v1 reportingController: a qualified name.
inline constexpr std::string_view kReportingController = "loglink.io/controller";

inline constexpr std::string_view kKubeletPodsRoot = "kubelet-pods";
inline constexpr std::string_view kEmptyDirSegment = "volumes/kubernetes.io~empty-dir/";
// Root names that the admin cannot use.
inline constexpr std::string_view kReservedRootPrefix = "volume-";

inline constexpr std::string_view kNamingLogfile = "logfile";
inline constexpr std::string_view kNamingKubelet = "kubelet";

// Files of ours on the node.
inline constexpr std::string_view kMarkerFile = ".loglink";
inline constexpr std::string_view kTemporaryPrefix = ".loglink-tmp-";
inline constexpr std::string_view kDesiredFile = "desired.json";
inline constexpr std::string_view kInodesFile = "inodes.txt";
inline constexpr std::string_view kReadyFile = ".ready";

// Features that a source may require.
// The links of a withdrawn source go at once, without linger: `loglink-controller drain`.
inline constexpr std::string_view kFeatureRemoveNow = "remove-now";

// Status condition.
inline constexpr std::string_view kConditionReady = "Ready";

// Reasons of the condition Ready, and first words of /readyz, that are no refusals.
inline constexpr std::string_view kReasonReady = "Ready";
inline constexpr std::string_view kReasonDirectMode = "DirectMode";
inline constexpr std::string_view kReasonStarting = "Starting";
inline constexpr std::string_view kReasonFirstPass = "FirstPass";

// Lease holder left behind by `loglink-controller drain`.
inline constexpr std::string_view kDrainedHolder = "drained";

// explain: stands in for what a manifest does not have yet.
inline constexpr std::string_view kUnscheduledNode = "unscheduled";
inline constexpr std::string_view kUnassignedUid = "unassigned";

}  // namespace loglink::names
