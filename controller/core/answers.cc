#include "controller/core/answers.h"

#include <algorithm>
#include <utility>

#include "controller/core/agent_trouble.h"
#include "controller/core/trouble.h"
#include "lib/base/text.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

// Where this pod stands between its request and the agent's answer.
struct Standing {
  std::size_t accepted = 0;         // watch dirs that are to be in the node's object
  bool limited = false;             // a watch dir has no place
  bool in_spec = false;             // the object has a source of the pod, be it a withdrawn one
  const PodLinks* entry = nullptr;  // the agent's, where it counts
  bool observed = false;            // entry answers the pod's present sources
};

bool is_scheduled(const PodView& pod) {
  return !pod.node_name.empty() && pod.node_name != names::kUnscheduledNode;
}

bool is_of(const PodView& pod, const std::string& pod_id, const std::string& namespace_name,
           const std::string& name, const std::string& uid) {
  return pod.namespace_name == namespace_name && pod.name == name && pod_id == uid;
}

bool is_left_out(const AnswerInput& input, std::size_t source) {
  const std::string& watch_dir = input.pod->resolution.watch_dirs[source];
  return std::any_of(input.left_out.begin(), input.left_out.end(),
                     [&](const LeftOut& each) { return each.watch_dir == watch_dir; });
}

bool has_live(const NodeLinkSetSpec& spec, const Source& wanted) {
  return std::any_of(spec.sources.begin(), spec.sources.end(), [&](const Source& source) {
    return !source.withdrawn() && identity(source) == identity(wanted);
  });
}

// True when every accepted source is in the object: what a leader that just started goes by.
bool is_published(const AnswerInput& input) {
  const Resolution& resolution = input.pod->resolution;
  for (std::size_t i = 0; i < resolution.sources.size(); ++i) {
    if (!is_left_out(input, i) && !has_live(input.node_object->spec, resolution.sources[i])) {
      return false;
    }
  }
  return true;
}

Standing find_standing(const AnswerInput& input) {
  Standing standing;
  const PodView& pod = input.pod->pod;
  for (std::size_t i = 0; i < input.pod->resolution.sources.size(); ++i) {
    if (!is_left_out(input, i)) ++standing.accepted;
  }
  standing.limited =
      std::any_of(input.left_out.begin(), input.left_out.end(),
                  [](const LeftOut& each) { return rank_of(each.reason) == Rank::kLimit; });
  // An entry counts only where the pod is bound to the object's node and in its spec: an agent
  // cannot speak for pods of other nodes.
  if (input.node_object == nullptr || input.node_object->name != pod.node_name) return standing;
  const NodeLinkSet& object = *input.node_object;
  const std::string pod_id = claimed_pod_id(pod);
  standing.in_spec = std::any_of(
      object.spec.sources.begin(), object.spec.sources.end(), [&](const Source& source) {
        return is_of(pod, pod_id, source.namespace_name, source.pod, source.uid);
      });
  if (!standing.in_spec) return standing;
  const auto entry =
      std::find_if(object.status.pods.begin(), object.status.pods.end(), [&](const PodLinks& each) {
        return is_of(pod, pod_id, each.namespace_name, each.pod, each.uid);
      });
  if (entry == object.status.pods.end()) return standing;
  standing.entry = &*entry;
  if (input.sources_since_generation > 0) {
    standing.observed = object.status.observed_generation >= input.sources_since_generation;
  } else {
    standing.observed = is_published(input);
  }
  return standing;
}

std::vector<Trouble> controller_troubles(const AnswerInput& input) {
  std::vector<Trouble> troubles;
  const Resolution& resolution = input.pod->resolution;
  for (const Refusal& each : resolution.refusals) {
    troubles.push_back({rank_of(each.reason), each.reason, each.watch_dir, each.message});
  }
  for (const LeftOut& each : input.left_out) {
    troubles.push_back({rank_of(each.reason), each.reason, each.watch_dir,
                        left_out_message(each.reason, input.pod->pod.namespace_name)});
  }
  for (const Refusal& each : resolution.told) {
    troubles.push_back({Rank::kTold, each.reason, each.watch_dir, each.message});
  }
  for (const Note& each : resolution.notes) {
    troubles.push_back({Rank::kNote, std::nullopt, each.watch_dir, each.message});
  }
  return troubles;
}

// The agent has seen the pod's present sources, and yet it has no entry of the pod. Where nobody
// knows since when they are there, only the object's present generation is sure to have them.
bool is_answered_for_others(const AnswerInput& input, const Standing& standing) {
  if (!standing.in_spec || input.write_pending || !is_published(input)) return false;
  const std::int64_t since = input.sources_since_generation > 0 ? input.sources_since_generation
                                                                : input.node_object->generation;
  return input.node_object->status.observed_generation >= since;
}

// That it lasts is a trouble by itself: the agent may have ended meanwhile.
Trouble no_entry(const AnswerInput& input) {
  const std::string agent = "the agent on node " + input.pod->pod.node_name;
  const Rank rank = input.agent_silent ? Rank::kMissing : Rank::kNote;
  if (input.entries_dropped) {
    return {rank, std::nullopt, "",
            agent +
                " has no room in its answer for all pods of the node, so that this one's files may "
                "be linked and not counted; spread the pods over more nodes"};
  }
  std::string text = agent +
                     " has not read the pod's directories yet: those of a namespace with many "
                     "files wait for each other";
  if (input.agent_silent) {
    text += "; if it stays so, ask the administrator whether loglink-agent runs there";
  }
  return {rank, std::nullopt, "", std::move(text)};
}

// Why the agent has not answered. Waiting is no trouble by itself; an agent that is silent is.
Trouble waiting(const AnswerInput& input, const Standing& standing) {
  const PodView& pod = input.pod->pod;
  if (!is_scheduled(pod)) return {Rank::kNote, std::nullopt, "", "the pod waits for a node"};
  if (input.crd_outdated) {
    return {Rank::kMissing, Reason::kCRDOutdated, "",
            "the API server does not accept the node's list; ask the administrator to update the "
            "NodeLinkSet CRD"};
  }
  if (input.unwritable_because) {
    // What the server says of it is in the controller's log: it is about the cluster, and a pod's
    // owner need not know it.
    return {Rank::kMissing, std::nullopt, "",
            "the controller cannot write the list of node " + pod.node_name + " (" +
                std::string(to_string(*input.unwritable_because)) + "); ask the administrator"};
  }
  if (is_answered_for_others(input, standing)) return no_entry(input);
  if (input.agent_silent) {
    return {Rank::kMissing, std::nullopt, "",
            "no agent answers on node " + pod.node_name +
                "; ask the administrator whether loglink-agent runs there"};
  }
  return {Rank::kNote, std::nullopt, "", "waiting for the agent on node " + pod.node_name};
}

std::string not_ready_reason(const NodeLinkSet& object) {
  for (const Condition& condition : object.status.conditions) {
    if (condition.type == names::kConditionReady && condition.status == "False") {
      return condition.reason;
    }
  }
  return {};
}

// Why a pod in order may lack links: the node's agent is not able to make any. Not for the moment
// in which it starts: its links stand.
std::optional<Trouble> cannot_link_note(const AnswerInput& input) {
  const std::string reason = not_ready_reason(*input.node_object);
  if (reason.empty() || reason == names::kReasonStarting) return std::nullopt;
  return Trouble{Rank::kNote, std::nullopt, "",
                 "the agent on node " + input.pod->pod.node_name + " cannot link now (" + reason +
                     "), so that new files have no link; ask the administrator"};
}

// Why a pod in order has no link: the last thing to say.
Trouble no_links_note(const AnswerInput& input) {
  const PodView& pod = input.pod->pod;
  const std::string patterns =
      sanitize(join(input.pod->resolution.sources.front().include, ", "), 200);
  if (pod.finished()) {
    return {Rank::kNote, std::nullopt, "", "no file matched " + patterns + " before the pod ended"};
  }
  return {Rank::kNote, std::nullopt, "", "no file matches " + patterns + " yet"};
}

bool has_rank(const std::vector<Trouble>& troubles, Rank rank) {
  return std::any_of(troubles.begin(), troubles.end(),
                     [rank](const Trouble& trouble) { return trouble.rank == rank; });
}

// True when the agent has refused the last of the accepted watch dirs. Its entry has one reason for
// all sources of the pod; of several it says by its counts whether one is left.
bool agent_refuses_all(const Standing& standing, const Trouble& trouble) {
  if (trouble.rank != Rank::kSource) return false;
  return standing.accepted == 1 || (standing.entry->links == 0 &&
                                    standing.entry->refused >= static_cast<int>(standing.accepted));
}

// A directory that is not there yet, or whose root cannot be linked through now: nothing is
// refused, and nothing linked.
bool is_waited_for(const Trouble& trouble) {
  return trouble.rank == Rank::kMissing || trouble.reason == Reason::kUnsafeRoot;
}

// A finished pod that would be Pending: nobody answers for it any more, so it keeps what it was
// told last.
Answer last_word(const AnswerInput& input, const Standing& standing) {
  Answer result;
  if (standing.entry != nullptr) result.links = standing.entry->links;
  if (input.previous_word && *input.previous_word != StatusWord::kPending) {
    result.word = *input.previous_word;
    result.message = sanitize(input.previous_message, limits::kMessageBytes);
  } else {
    result.message = "the pod ended before the agent of its node saw its log files";
  }
  return result;
}

}  // namespace

Answer answer(const AnswerInput& input) {
  const PodView& pod = input.pod->pod;
  const Standing standing = find_standing(input);
  std::vector<Trouble> troubles = controller_troubles(input);
  bool none_left = standing.accepted == 0 && !standing.limited;
  bool pending = false;
  std::size_t others = 0;
  if (standing.accepted > 0 && !standing.observed) {
    pending = true;
    Trouble wait = waiting(input, standing);
    const bool is_refused = std::any_of(troubles.begin(), troubles.end(), [](const Trouble& each) {
      return each.rank != Rank::kTold && each.rank != Rank::kNote;
    });
    if (wait.rank != Rank::kNote) {
      troubles.push_back(std::move(wait));
    } else if (!is_refused) {
      // Before what is only told, which is not what it waits for. Beside a refusal there is no need
      // to say that all else is on its way.
      wait.rank = Rank::kTold;
      troubles.insert(troubles.begin(), std::move(wait));
    }
  } else if (standing.accepted > 0) {
    if (auto told = agent_trouble(*standing.entry, input.pod->resolution)) {
      none_left = !standing.limited && agent_refuses_all(standing, told->trouble);
      // Fewer troubles than directories, or a refused file: one of them is there, if only without
      // links.
      pending = is_waited_for(told->trouble) && standing.entry->links == 0 &&
                standing.entry->refused == 0 &&
                (standing.entry->message.empty() || told->others + 1 >= standing.accepted);
      // Links that linger are of what the pod asked for before; those of a pod that has ended,
      // whose emptyDir went with it, are its own.
      pending =
          pending || (told->trouble.reason == Reason::kDirectoryNotFound &&
                      standing.accepted == 1 && standing.entry->refused == 0 && !pod.finished());
      others = told->others;
      troubles.push_back(std::move(told->trouble));
    } else if (auto note = cannot_link_note(input)) {
      troubles.push_back(*std::move(note));
    } else if (standing.entry->links == 0) {
      // The first of the notes, but for one about all directories, which is why.
      const bool is_explained = std::any_of(
          troubles.begin(), troubles.end(),
          [](const Trouble& each) { return each.rank == Rank::kNote && each.watch_dir.empty(); });
      troubles.insert(is_explained ? troubles.end() : troubles.begin(), no_links_note(input));
    }
  }
  if (pod.finished()) {
    // Its emptyDir is gone with it, and no agent need answer any more: nothing to tell.
    troubles.erase(std::remove_if(troubles.begin(), troubles.end(),
                                  [](const Trouble& t) { return t.rank == Rank::kMissing; }),
                   troubles.end());
  }
  std::stable_sort(troubles.begin(), troubles.end(),
                   [](const Trouble& a, const Trouble& b) { return a.rank < b.rank; });

  Answer result;
  if (none_left) {
    result.word = StatusWord::kInvalid;
  } else if (has_rank(troubles, Rank::kSource) || has_rank(troubles, Rank::kLimit)) {
    result.word = StatusWord::kDegraded;
  } else if (pending) {
    result.word = StatusWord::kPending;
    if (pod.finished()) return last_word(input, standing);
  } else {
    result.word = StatusWord::kLinked;
  }
  if (standing.entry != nullptr) {
    result.links = standing.entry->links;
  } else if (none_left && !standing.in_spec) {
    result.links = 0;  // no agent has anything to answer
  }
  result.message = to_message(troubles, others);
  if (!troubles.empty()) result.reason = troubles.front().reason;
  return result;
}

}  // namespace loglink
