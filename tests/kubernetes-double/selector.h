// Label selectors: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace kubernetes_double {

using Labels = std::map<std::string, std::string>;

// All requirements must hold; without any, everything matches.
class Selector {
 public:
  // "a=b,c!=d,e in (x,y),f notin (z),g,!h".
  static pulse::Result<Selector> parse(std::string_view text);

  bool matches(const Labels& labels) const;

 private:
  enum class Operator { in, not_in, exists, absent };
  struct Requirement {
    std::string key;
    Operator how = Operator::exists;
    std::set<std::string> values;
  };
  friend class SelectorParser;
  std::vector<Requirement> requirements_;
};

}  // namespace kubernetes_double
