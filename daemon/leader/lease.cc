#include "daemon/leader/lease.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/base/rfc3339.h"

namespace pulse {

namespace {

using Json = nlohmann::json;

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

int64_t number_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

// As Kubernetes writes a MicroTime.
std::string micro_time(int64_t realtime_ns) { return rfc3339_fraction(realtime_ns, 6); }

}  // namespace

bool LeaseRecord::same_spec(const LeaseRecord& other) const {
  return holder == other.holder && duration_s == other.duration_s && transitions == other.transitions &&
         acquire_time == other.acquire_time && renew_time == other.renew_time;
}

Result<LeaseRecord> parse_lease(std::string_view json) {
  const Json object = Json::parse(json.begin(), json.end(), nullptr, false);
  if (!object.is_object()) return Error{"malformed JSON"};
  if (text_of(object, "kind") != "Lease") return Error{"not a Lease but \"" + text_of(object, "kind") + "\""};
  const Json metadata = object.value("metadata", Json::object());
  if (!metadata.is_object() || text_of(metadata, "resourceVersion").empty()) {
    return Error{"a Lease without a resourceVersion"};
  }
  LeaseRecord record;
  record.object = json;
  if (const Json spec = object.value("spec", Json::object()); spec.is_object()) {
    record.holder = text_of(spec, "holderIdentity");
    record.duration_s = std::clamp<int64_t>(number_of(spec, "leaseDurationSeconds"), 0, 86'400);
    record.transitions = number_of(spec, "leaseTransitions");
    record.acquire_time = text_of(spec, "acquireTime");
    record.renew_time = text_of(spec, "renewTime");
  }
  return record;
}

std::string lease_body(const LeaseRecord& record, const std::string& name, const std::string& name_space) {
  Json object = Json::parse(record.object, nullptr, false);
  if (!object.is_object()) {
    object = {{"apiVersion", "coordination.k8s.io/v1"},
              {"kind", "Lease"},
              {"metadata", {{"name", name}, {"namespace", name_space}}}};
  }
  Json& spec = object["spec"];
  if (!spec.is_object()) spec = Json::object();
  spec["holderIdentity"] = record.holder;
  spec["leaseDurationSeconds"] = record.duration_s;
  spec["leaseTransitions"] = record.transitions;
  spec["acquireTime"] = record.acquire_time;
  spec["renewTime"] = record.renew_time;
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void LeaseCandidate::inherit(int64_t valid_until_ns, int64_t handover_ns) {
  inherited_ = true;
  valid_until_ns_ = valid_until_ns;
  handover_ns_ = handover_ns;
}

void LeaseCandidate::set_fit(bool fit) {
  fit_ = fit;
  if (!fit_) valid_until_ns_ = 0;
}

LeaseRecord LeaseCandidate::to_write(int64_t realtime_ns) {
  LeaseRecord record;
  if (seen_) record = *seen_;
  const std::string now = micro_time(realtime_ns);
  if (acquire_time_.empty()) acquire_time_ = now;
  if (seen_ && !mine_) ++record.transitions;
  record.holder = policy_.identity;
  record.duration_s = (policy_.duration.count() + 999) / 1000;
  record.acquire_time = acquire_time_;
  record.renew_time = now;
  return record;
}

void LeaseCandidate::saw(const LeaseRecord& record, int64_t now_ns) {
  const bool changed = !seen_ || !seen_->same_spec(record);
  const bool as_me = record.holder == policy_.identity;
  if (changed) changed_ns_ = now_ns;
  if (inherited_ && as_me && is_leader(now_ns)) acquire_time_ = record.acquire_time;
  inherited_ = false;
  mine_ = as_me && !acquire_time_.empty() && record.acquire_time == acquire_time_;
  has_twin_ = as_me && !mine_;
  seen_ = record;
  if (mine_) return;
  valid_until_ns_ = 0;
  // What this process tried to write can't go through any more: it was for the record before this one.
  if (changed) acquire_time_.clear();
}

bool LeaseCandidate::may_take(int64_t now_ns) const {
  if (seen_->holder.empty()) return true;
  const int64_t duration_ns =
      std::max<int64_t>(nanoseconds(policy_.duration).count(), seen_->duration_s * 1'000'000'000);
  return now_ns - changed_ns_ >= duration_ns;
}

// A leader renews at even intervals, candidates come at odd ones, as client-go's do.
LeaseStep LeaseCandidate::later(LeaseRequest request, double random) const {
  constexpr double kJitter = 1.2;
  const nanoseconds retry = policy_.retry;
  if (mine_) return {request, retry};
  return {request, retry + nanoseconds(static_cast<int64_t>(static_cast<double>(retry.count()) * kJitter * random))};
}

LeaseStep LeaseCandidate::next(LeaseRequest request, LeaseReply reply, const LeaseRecord& record, int64_t sent_ns,
                               int64_t now_ns, double random) {
  if (reply != LeaseReply::conflict)
    conflicts_ = reply == LeaseReply::ok && request == LeaseRequest::get ? conflicts_ : 0;
  switch (reply) {
    case LeaseReply::failed:
      return later(LeaseRequest::get, random);
    case LeaseReply::conflict:
      return ++conflicts_ == 1 ? LeaseStep{LeaseRequest::get, {}} : later(LeaseRequest::get, random);
    case LeaseReply::not_found:
      // Anybody may create it now.
      seen_.reset();
      mine_ = inherited_ = false;
      valid_until_ns_ = 0;
      if (request == LeaseRequest::create || !fit_) return later(LeaseRequest::get, random);
      return {LeaseRequest::create, {}};
    case LeaseReply::ok:
      break;
  }
  if (request == LeaseRequest::get) {
    saw(record, now_ns);
    return fit_ && (mine_ || may_take(now_ns)) ? LeaseStep{LeaseRequest::update, {}} : later(LeaseRequest::get, random);
  }
  seen_ = record;
  changed_ns_ = now_ns;
  mine_ = true;
  inherited_ = has_twin_ = false;
  handover_ns_ = sent_ns + nanoseconds(policy_.duration).count();
  if (!fit_) return later(LeaseRequest::get, random);
  valid_until_ns_ = sent_ns + nanoseconds(policy_.renew).count();
  return later(LeaseRequest::update, random);
}

std::optional<LeaseRecord> LeaseCandidate::to_release(int64_t realtime_ns) const {
  if (!mine_) return std::nullopt;
  LeaseRecord record = *seen_;
  record.holder.clear();
  record.duration_s = 1;
  record.acquire_time = record.renew_time = micro_time(realtime_ns);
  return record;
}

}  // namespace pulse
