// proxysql.cnf as a tree of settings: the grammar of libconfig 1.7.3, which ProxySQL reads its file with. What that
// library accepts is accepted here, with the same values, and what it refuses is refused, in the same line. The
// differences are limits, each an error: 16 MiB of text, 1,000 included files, and files that are none (a pipe).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace pulse {

enum class CnfType : uint8_t { none, group, list, array, text, integer, integer64, real, boolean };

// One setting, or one element of a list or an array. It belongs to its Cnf, as all that it refers to does.
struct CnfSetting {
  std::string_view name = {};         // "" for an element, and for the root
  std::string_view text = {};         // of a text its value; of a real the digits as they stand in the file
  int64_t number = 0;                 // of integer and integer64; of a boolean 0 or 1
  const CnfSetting* first = nullptr;  // child of a group, a list, an array
  const CnfSetting* next = nullptr;   // child of the same parent
  CnfSetting* last = nullptr;         // child
  const std::string* file = nullptr;  // where it stands, as errors name it
  int line = 0;                       // of its name; of an element that is a group, a list or an array, of its bracket
  uint32_t length = 0;                // children
  CnfType type = CnfType::none;

  bool is(CnfType one) const { return type == one; }
  // An integer of either width.
  bool is_number() const { return type == CnfType::integer || type == CnfType::integer64; }
  // The member of that name; null if there is none, or if this is no group.
  const CnfSetting* find(std::string_view wanted) const;
  // "/etc/proxysql.cnf:12", as errors begin.
  std::string at() const { return *file + ":" + std::to_string(line); }
};

// The children, for range-for.
class CnfChildren {
 public:
  class Iterator {
   public:
    explicit Iterator(const CnfSetting* at) : at_(at) {}
    const CnfSetting& operator*() const { return *at_; }
    Iterator& operator++() {
      at_ = at_->next;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const CnfSetting* at_;
  };
  // `parent` may be null: there are none then.
  explicit CnfChildren(const CnfSetting* parent) : first_(parent == nullptr ? nullptr : parent->first) {}
  Iterator begin() const { return Iterator(first_); }
  Iterator end() const { return Iterator(nullptr); }

 private:
  const CnfSetting* first_;
};

// How much of the lists at the top level is kept. All of the file is checked either way. `first` keeps one row of each
// list but `scheduler` and `proxysql_servers`, and the length: a file may have thousands of servers, users and rules.
enum class Rows : uint8_t { all, first };

// A file that the configuration includes.
struct CnfInclude {
  std::string path;       // as it was opened
  uint64_t identity = 0;  // see identity.h
  bool beside = false;    // not in the working directory, but beside the file that was read first
};

// What was read. Moving it leaves all its settings where they are.
class Cnf {
 public:
  const CnfSetting& root() const { return *root_; }
  const std::vector<CnfInclude>& includes() const { return includes_; }
  // Of the file that was read first, see identity.h; 0: it was a text.
  uint64_t identity() const { return identity_; }

 private:
  friend class CnfParser;
  friend class CnfLexer;
  friend Result<Cnf> read_cnf(const std::string& path, Rows rows);

  std::deque<std::string> texts_;  // files' names and contents, and texts that stand so in no file
  std::vector<std::unique_ptr<CnfSetting[]>> blocks_;
  const CnfSetting* root_ = nullptr;
  std::vector<CnfInclude> includes_;
  uint64_t identity_ = 0;
};

// Reads `text`. `path` is the file's name, for errors: "PATH:LINE: REASON". @include opens absolute names as they are
// and others from the working directory, as ProxySQL does; one that isn't there, beside the file.
Result<Cnf> parse_cnf(std::string text, const std::string& path, Rows rows = Rows::all);

// The same from the file `path`, which must be a regular one.
Result<Cnf> read_cnf(const std::string& path, Rows rows = Rows::all);

}  // namespace pulse
