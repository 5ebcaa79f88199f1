#include "shm/record/applied.h"

#include <algorithm>
#include <span>
#include <tuple>

#include "shm/segment/text.h"

namespace pulse {

namespace {

std::span<const AppliedFile> files_of(const AppliedModule& module) {
  return {module.files.data(), std::min<size_t>(module.count, kAppliedFiles)};
}

// Kept in this order, the latest one last.
auto rank(const AppliedFile& file) {
  return std::tuple(static_cast<int>(kind_of(file.revision)), file.revision, file.at);
}

bool is_less(const AppliedFile& a, const AppliedFile& b) { return rank(a) < rank(b); }

AppliedModule* module_of(Applied& applied, std::string_view name) {
  const size_t count = std::min<size_t>(applied.count, kModules);
  for (size_t i = 0; i < count; ++i) {
    if (text(applied.modules[i].name) == name) return &applied.modules[i];
  }
  if (count == kModules || name.empty()) return nullptr;
  AppliedModule& added = applied.modules[count];
  added = AppliedModule{};
  set_text(added.name, name);
  applied.count = static_cast<uint32_t>(count + 1);
  return &added;
}

int64_t greater_revision(int64_t a, int64_t b) {
  const auto rank_of = [](int64_t revision) { return std::pair(static_cast<int>(kind_of(revision)), revision); };
  return rank_of(a) < rank_of(b) ? b : a;
}

// Returns whether it was new.
bool add(AppliedModule& module, const AppliedFile& file) {
  if (file.content == Content{}) return false;
  module.count = std::min<uint32_t>(module.count, kAppliedFiles);
  auto begin = module.files.begin();
  auto end = begin + module.count;
  const auto same = std::find_if(begin, end, [&](const AppliedFile& one) { return one.content == file.content; });
  if (same != end) {
    const AppliedFile both{file.content, greater_revision(same->revision, file.revision), std::max(same->at, file.at)};
    if (same->revision == both.revision && same->at == both.at) return false;
    *same = both;
  } else if (module.count < kAppliedFiles) {
    *end++ = file;
    ++module.count;
  } else if (is_less(*begin, file)) {
    *begin = file;
  } else {
    return false;
  }
  std::stable_sort(begin, end, is_less);
  return true;
}

}  // namespace

RevisionKind kind_of(int64_t revision) {
  if (revision <= 0) return RevisionKind::none;
  return revision > kFirstCreationTime ? RevisionKind::created : RevisionKind::revision;
}

const AppliedModule* find_applied(const Applied& applied, std::string_view module) {
  for (size_t i = 0; i < std::min<size_t>(applied.count, kModules); ++i) {
    if (text(applied.modules[i].name) == module) return &applied.modules[i];
  }
  return nullptr;
}

const AppliedFile* find_content(const AppliedModule& module, const Content& content) {
  for (const AppliedFile& file : files_of(module)) {
    if (file.content == content) return &file;
  }
  return nullptr;
}

const AppliedFile* latest_of(const AppliedModule& module, RevisionKind kind) {
  const AppliedFile* latest = nullptr;
  for (const AppliedFile& file : files_of(module)) {
    if (kind_of(file.revision) == kind && (latest == nullptr || !is_less(file, *latest))) latest = &file;
  }
  return latest;
}

const AppliedFile* last_loaded(const AppliedModule& module) {
  const AppliedFile* last = nullptr;
  for (const AppliedFile& file : files_of(module)) {
    if (last == nullptr || file.at >= last->at) last = &file;
  }
  return last;
}

void enter_load(Applied& applied, std::string_view module, const Content& content, int64_t revision, int64_t now_s) {
  AppliedModule* to = module_of(applied, module);
  if (to == nullptr) return;
  const AppliedFile* last = last_loaded(*to);
  add(*to, {content, revision, last == nullptr ? now_s : std::max(now_s, last->at + 1)});
}

void note_revision(Applied& applied, std::string_view module, const Content& content, int64_t revision) {
  AppliedModule* to = module_of(applied, module);
  if (to != nullptr) add(*to, {content, revision, 0});
}

bool merge_applied(Applied& into, const Applied& from) {
  bool is_news = false;
  for (size_t i = 0; i < std::min<size_t>(from.count, kModules); ++i) {
    const AppliedModule& module = from.modules[i];
    AppliedModule* to = module_of(into, text(module.name));
    if (to == nullptr) continue;
    for (const AppliedFile& file : files_of(module)) is_news |= add(*to, file);
  }
  return is_news;
}

}  // namespace pulse
