#include "tests/kubernetes-double/selector.h"

#include <algorithm>
#include <cctype>

namespace kubernetes_double {

// Recursive descent over the text; the first error ends it.
class SelectorParser {
 public:
  explicit SelectorParser(std::string_view text) : text_(text) {}

  pulse::Result<Selector> parse() {
    Selector selector;
    skip_spaces();
    if (rest_.empty()) return selector;
    do {
      Selector::Requirement requirement;
      if (!parse_requirement(requirement)) {
        return pulse::Error{
            "unable to parse requirement: found '" + std::string(rest_) + "' in '" + std::string(text_) + "'", 400};
      }
      selector.requirements_.push_back(requirement);
    } while (take(","));
    if (!rest_.empty())
      return pulse::Error{"found '" + std::string(rest_) + "', expected: ',' or 'end of string'", 400};
    return selector;
  }

 private:
  using Operator = Selector::Operator;

  void skip_spaces() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }

  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    skip_spaces();
    return true;
  }

  // A key or a value; empty if there is none.
  std::string take_word() {
    const auto* const end = std::find_if_not(rest_.begin(), rest_.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == '/';
    });
    const std::string word(rest_.begin(), end);
    rest_.remove_prefix(word.size());
    skip_spaces();
    return word;
  }

  bool parse_requirement(Selector::Requirement& requirement) {
    const bool negated = take("!");
    requirement.key = take_word();
    if (requirement.key.empty()) return false;
    if (negated) {
      requirement.how = Operator::absent;
      return true;
    }
    if (rest_.empty() || rest_.front() == ',') return true;
    if (take("!=")) {
      requirement.how = Operator::not_in;
    } else if (take("==") || take("=")) {
      requirement.how = Operator::in;
    } else {
      const std::string word = take_word();
      if (word != "in" && word != "notin") return false;
      requirement.how = word == "in" ? Operator::in : Operator::not_in;
      return parse_set(requirement.values);
    }
    requirement.values.insert(take_word());  // "a=" asks for the empty value
    return true;
  }

  bool parse_set(std::set<std::string>& values) {
    if (!take("(")) return false;
    do values.insert(take_word());
    while (take(","));
    return take(")");
  }

  const std::string_view text_;
  std::string_view rest_ = text_;
};

pulse::Result<Selector> Selector::parse(std::string_view text) { return SelectorParser(text).parse(); }

bool Selector::matches(const Labels& labels) const {
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& requirement) {
    const auto label = labels.find(requirement.key);
    const bool there = label != labels.end();
    switch (requirement.how) {
      case Operator::in:
        return there && requirement.values.contains(label->second);
      case Operator::not_in:  // also where there is no such label
        return !there || !requirement.values.contains(label->second);
      case Operator::exists:
        return there;
      case Operator::absent:
        return !there;
    }
    return false;
  });
}

}  // namespace kubernetes_double
