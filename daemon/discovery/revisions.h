// Which revision of its workload's template each core is of, and which object of the Kubernetes API says so. Pure.
//
// A Deployment's ReplicaSet has its revision as the annotation deployment.kubernetes.io/revision; that of a
// StatefulSet's pod is the number of the ControllerRevision that the pod's label names. A rollback gives an object that
// is there already the next number, so nobody may remember one for long.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/discovery/member_list.h"
#include "src/base/result.h"

namespace pulse {

// The object that holds a pod's revision.
struct RevisionObject {
  std::string resource;  // "replicasets", "controllerrevisions", of the group apps/v1
  std::string name;

  auto operator<=>(const RevisionObject&) const = default;  // NOLINT(modernize-use-nullptr): it means the operator's 0
};

// What it says.
struct TemplateRevision {
  std::string workload;  // "Deployment core", with its uid
  int64_t number = 0;

  bool operator==(const TemplateRevision&) const = default;
};

// Which object is to be read for a pod of this owner; an error says why there is none.
Result<RevisionObject> revision_object(const PodOwner& owner);

// Reads a ReplicaSet or a ControllerRevision, as a GET of `object` answers it.
Result<TemplateRevision> parse_revision(const RevisionObject& object, std::string_view json);

// What is known of an object. Neither a revision nor an error: it hasn't been asked yet.
struct KnownRevision {
  TemplateRevision revision;  // number 0: never read
  std::string error;          // of the last request, "" if it was good
};

using KnownRevisions = std::map<RevisionObject, KnownRevision>;

// Gives each core among `members` its revision. If that of one isn't known, or if not all are of one workload, all get
// 0 and the reason is returned; "" otherwise.
std::string set_revisions(std::vector<Found>& members, const KnownRevisions& known);

// Takes in the answer of one request. What was read before stays when a later request fails without a word of the
// object itself, as when the API is away. A refusal (403) and an object that is something else end it.
void note_answer(KnownRevision& known, const Result<TemplateRevision>& answer, int status);

}  // namespace pulse
