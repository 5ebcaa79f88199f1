#include "src/config/cnf.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "src/base/file.h"
#include "src/config/cnf_file.h"
#include "src/config/cnf_lexer.h"

namespace pulse {

namespace {

constexpr size_t kFirstBlock = 32;
constexpr size_t kMostDoublings = 7;
constexpr size_t kFewMembers = 16;
// libconfig's parser gives up when its stack holds as many symbols; see CnfParser::open().
constexpr size_t kMostSymbols = 9'999;
constexpr const char* kTooDeep = "brackets are nested too deep";

// A group, list or array that isn't closed yet.
struct Frame {
  CnfSetting* setting;
  size_t symbols = 0;                               // on libconfig's stack, of all open ones
  std::unordered_set<std::string_view> names = {};  // of a group with many members
};

bool is_open(CnfToken token) {
  return token == CnfToken::group_start || token == CnfToken::list_start || token == CnfToken::array_start;
}

CnfToken partner_of(CnfType type) {
  return type == CnfType::group  ? CnfToken::group_end
         : type == CnfType::list ? CnfToken::list_end
                                 : CnfToken::array_end;
}

}  // namespace

const CnfSetting* CnfSetting::find(std::string_view wanted) const {
  if (type != CnfType::group) return nullptr;
  for (const CnfSetting* child = first; child != nullptr; child = child->next) {
    if (child->name == wanted) return child;
  }
  return nullptr;
}

// Works through the words without recursion: the frames are the brackets that are open.
class CnfParser {
 public:
  CnfParser(std::string text, const std::string& path, Rows rows) : lexer_(cnf_, std::move(text), path), rows_(rows) {}

  Result<Cnf> run() {
    CnfSetting* root = take_place();
    root->type = CnfType::group;
    root->file = lexer_.file();
    cnf_.root_ = root;
    frames_.push_back({root, 1});
    token_ = lexer_.next();
    while (!done_ && !error_) {
      if (frames_.back().setting->is(CnfType::group)) {
        read_member();
      } else {
        read_element();
      }
    }
    if (error_) return std::move(*error_);
    return std::move(cnf_);
  }

 private:
  // At the word that was read last, which may be garbage for a reason of its own.
  void fail(const char* reason) {
    if (token_ == CnfToken::garbage && !lexer_.reason().empty()) reason = lexer_.reason().c_str();
    error_ = Error{*lexer_.file() + ":" + std::to_string(lexer_.line()) + ": " + reason};
  }

  void read_member() {
    Frame& frame = frames_.back();
    if (token_ == CnfToken::group_end && frames_.size() > 1) return close();
    if (token_ == CnfToken::end && frames_.size() == 1) {
      done_ = true;
      return;
    }
    if (token_ != CnfToken::name) return fail("syntax error");
    const std::string_view name = lexer_.text();
    if (is_taken(frame, name)) return fail("duplicate setting name");
    CnfSetting* setting = add(*frame.setting);
    setting->name = name;
    token_ = lexer_.next();
    if (token_ != CnfToken::equals) return fail("syntax error");
    const size_t before = frame.setting->length > 1 ? 1 : 0;
    if (frame.symbols + before + 5 > kMostSymbols) return fail(kTooDeep);
    token_ = lexer_.next();
    if (is_open(token_)) return open(setting, before + 3);
    if (read_scalar(*setting)) skip_terminator();
  }

  // An element of a list or an array with what is behind it, or its end.
  void read_element() {
    CnfSetting& parent = *frames_.back().setting;
    if (token_ == partner_of(parent.type)) return close();
    if (parent.is(CnfType::array) && is_open(token_)) return fail("syntax error");
    CnfSetting read;
    read.file = lexer_.file();
    read.line = lexer_.line();
    if (is_open(token_)) {
      start_row(parent);
      CnfSetting* setting = add(parent);
      return open(setting, parent.length > 1 ? 2 : 0);
    }
    if (!read_scalar(read)) return;
    if (parent.is(CnfType::array) && parent.first != nullptr && parent.first->type != read.type) {
      constexpr const char* kReason = "mismatched element type in array";
      if (read.is(CnfType::text)) return fail(kReason);  // libconfig has read on, for another part of the text
      error_ = Error{read.at() + ": " + kReason};
      return;
    }
    start_row(parent);
    CnfSetting* setting = add(parent);
    const CnfSetting* next = setting->next;
    *setting = read;
    setting->next = next;
    end_element();
  }

  // Of what is in no bracket of its own, text that stands in parts in one. False if there is none.
  bool read_scalar(CnfSetting& setting) {
    switch (token_) {
      case CnfToken::text: {
        setting.type = CnfType::text;
        setting.text = lexer_.text();
        token_ = lexer_.next();
        if (token_ != CnfToken::text) return true;
        std::string whole(setting.text);
        for (; token_ == CnfToken::text; token_ = lexer_.next()) whole += lexer_.text();
        setting.text = cnf_.texts_.emplace_back(std::move(whole));
        return true;
      }
      case CnfToken::boolean:
        setting.type = CnfType::boolean;
        break;
      case CnfToken::integer:
        setting.type = CnfType::integer;
        break;
      case CnfToken::integer64:
        setting.type = CnfType::integer64;
        break;
      case CnfToken::real:
        setting.type = CnfType::real;
        setting.text = lexer_.text();
        break;
      default:
        fail("syntax error");
        return false;
    }
    if (token_ != CnfToken::real) setting.number = lexer_.number();
    token_ = lexer_.next();
    return true;
  }

  void skip_terminator() {
    if (token_ == CnfToken::semicolon || token_ == CnfToken::comma) token_ = lexer_.next();
  }

  // `before`: the symbols that libconfig's grammar has on its stack below the bracket, in the frame that is open.
  void open(CnfSetting* setting, size_t before) {
    setting->type = token_ == CnfToken::group_start  ? CnfType::group
                    : token_ == CnfToken::list_start ? CnfType::list
                                                     : CnfType::array;
    const size_t symbols = frames_.back().symbols + before + 2;
    if (symbols + 2 > kMostSymbols) return fail(kTooDeep);
    frames_.push_back({setting, symbols});
    token_ = lexer_.next();
  }

  void close() {
    frames_.pop_back();
    token_ = lexer_.next();
    if (frames_.back().setting->is(CnfType::group)) {
      skip_terminator();
    } else {
      end_element();
    }
  }

  // What follows an element: the end, or commas, and then the end or another element.
  void end_element() {
    CnfSetting& parent = *frames_.back().setting;
    drop_row(parent);
    if (token_ == partner_of(parent.type)) return;
    if (token_ != CnfToken::comma) return fail("syntax error");
    while (token_ == CnfToken::comma) token_ = lexer_.next();
  }

  bool is_taken(Frame& frame, std::string_view name) {
    if (frame.setting->length < kFewMembers) return frame.setting->find(name) != nullptr;
    if (frame.names.empty()) {
      for (const CnfSetting& child : CnfChildren(frame.setting)) frame.names.insert(child.name);
    }
    return !frame.names.insert(name).second;
  }

  CnfSetting* add(CnfSetting& parent) {
    CnfSetting* setting = take_place();
    setting->file = lexer_.file();
    setting->line = lexer_.line();
    if (parent.first == nullptr) {
      parent.first = setting;
    } else {
      parent.last->next = setting;
    }
    parent.last = setting;
    ++parent.length;
    return setting;
  }

  CnfSetting* take_place() {
    if (block_ == cnf_.blocks_.size()) {
      const size_t size = kFirstBlock << std::min(block_, kMostDoublings);
      cnf_.blocks_.push_back(std::make_unique<CnfSetting[]>(size));
      sizes_.push_back(size);
    }
    CnfSetting* place = &cnf_.blocks_[block_][used_];
    *place = {};
    if (++used_ == sizes_[block_]) {
      ++block_;
      used_ = 0;
    }
    return place;
  }

  // With Rows::first, the second row of a list at the top level and all after it are read into the same place.
  void start_row(const CnfSetting& parent) {
    if (rows_ == Rows::all || frames_.size() != 2 || !parent.is(CnfType::list) || parent.first == nullptr) return;
    if (parent.name == "scheduler" || parent.name == "proxysql_servers") return;
    row_ = {block_, used_};
  }

  void drop_row(CnfSetting& parent) {
    if (!row_ || frames_.size() != 2) return;
    block_ = row_->first;
    used_ = row_->second;
    row_.reset();
    parent.last = const_cast<CnfSetting*>(parent.first);
    parent.last->next = nullptr;
  }

  Cnf cnf_;
  CnfLexer lexer_;
  const Rows rows_;
  CnfToken token_ = CnfToken::end;
  std::vector<Frame> frames_;
  std::vector<size_t> sizes_;  // of the blocks
  size_t block_ = 0;           // where the next setting is put
  size_t used_ = 0;
  std::optional<std::pair<size_t, size_t>> row_;  // where the row that isn't kept begins
  bool done_ = false;
  std::optional<Error> error_;
};

Result<Cnf> parse_cnf(std::string text, const std::string& path, Rows rows) {
  return CnfParser(std::move(text), path, rows).run();
}

Result<Cnf> read_cnf(const std::string& path, Rows rows) {
  auto file = read_cnf_file(path, kMostBytes);
  if (!file) return file.error();
  auto cnf = parse_cnf(std::move(file->text), path, rows);
  if (cnf) cnf->identity_ = file->identity;
  return cnf;
}

}  // namespace pulse
