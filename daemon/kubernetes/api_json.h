// JSON of the Kubernetes API, read without keeping it: an object is many times what is wanted of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pulse {

// Walks through a JSON text and tells of the plain values at paths that are asked for. Paths are like
// "/items/metadata/name": the elements of an array have the path of the array.
class JsonWalker : public nlohmann::json_sax<nlohmann::json> {
 public:
  const std::string& problem() const { return problem_; }

 protected:
  // Whether what is in the container at `path` is to be walked through.
  virtual bool wants(const std::string& path) const = 0;
  virtual void on_object_begin(const std::string&) {}
  virtual void on_object_end(const std::string&) {}
  virtual void on_text(const std::string& path, std::string& value) = 0;
  virtual void on_number(const std::string&, int64_t) {}
  virtual void on_flag(const std::string&, bool) {}

 private:
  struct Container {
    size_t path_length;
    bool skipped;
  };

  bool skipped() const { return containers_.empty() || containers_.back().skipped; }

  bool enter() {
    constexpr size_t kDeepest = 100;
    if (containers_.size() == kDeepest) {
      problem_ = "nested too deep";
      return false;
    }
    const bool in_skipped = !containers_.empty() && containers_.back().skipped;
    containers_.push_back({path_.size(), in_skipped || !wants(path_)});
    return true;
  }
  bool leave() {
    path_.resize(containers_.back().path_length);
    containers_.pop_back();
    return true;
  }

  bool null() final { return true; }
  bool boolean(bool value) final {
    if (!skipped()) on_flag(path_, value);
    return true;
  }
  bool number_integer(number_integer_t value) final {
    if (!skipped()) on_number(path_, value);
    return true;
  }
  bool number_unsigned(number_unsigned_t value) final { return number_integer(static_cast<int64_t>(value)); }
  bool number_float(number_float_t, const string_t&) final { return true; }
  bool string(string_t& value) final {
    if (!skipped()) on_text(path_, value);
    return true;
  }
  bool binary(binary_t&) final { return true; }
  bool start_object(std::size_t) final {
    if (!enter()) return false;
    if (!skipped()) on_object_begin(path_);
    return true;
  }
  bool key(string_t& name) final {
    if (skipped()) return true;
    path_.resize(containers_.back().path_length);
    path_ += '/';
    path_ += name;
    return true;
  }
  bool end_object() final {
    const bool told = !skipped();
    leave();
    if (told) on_object_end(path_);
    return true;
  }
  bool start_array(std::size_t) final { return enter(); }
  bool end_array() final { return leave(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& failure) final {
    const std::string what = failure.what();
    const size_t colon = what.rfind(": ");
    problem_ =
        "malformed JSON at byte " + std::to_string(position) + (colon == std::string::npos ? "" : what.substr(colon));
    return false;
  }

  std::string path_;
  std::vector<Container> containers_;
  std::string problem_;
};

// Walks through all of `json`. Returns what is wrong with the text, "" if nothing is.
std::string walk_json(std::string_view json, JsonWalker& walker);

// The message of a Status object; "" if it is something else.
std::string parse_status_message(std::string_view json);

}  // namespace pulse
