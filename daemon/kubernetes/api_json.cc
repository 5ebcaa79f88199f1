#include "daemon/kubernetes/api_json.h"

#include <exception>

namespace pulse {

namespace {

class StatusWalker : public JsonWalker {
 public:
  std::string kind;
  std::string message;

 private:
  bool wants(const std::string& path) const override { return path.empty(); }
  void on_text(const std::string& path, std::string& value) override {
    if (path == "/kind") kind = value;
    if (path == "/message") message = value;
  }
};

}  // namespace

std::string walk_json(std::string_view json, JsonWalker& walker) {
  try {
    nlohmann::json_sax<nlohmann::json>* const sax = &walker;
    if (nlohmann::json::sax_parse(json.begin(), json.end(), sax)) return "";
    return walker.problem().empty() ? "malformed JSON" : walker.problem();
  } catch (const std::exception& failure) {
    return failure.what();
  }
}

std::string parse_status_message(std::string_view json) {
  StatusWalker walker;
  return walk_json(json, walker).empty() && walker.kind == "Status" ? walker.message : "";
}

}  // namespace pulse
