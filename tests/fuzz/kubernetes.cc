// Any bytes as a page of a list of pods, or as a watch stream that arrives in pieces.
#include <vector>

#include "daemon/discovery/pods.h"
#include "daemon/kubernetes/api_json.h"
#include "daemon/kubernetes/line_splitter.h"
#include "tests/fuzz/fuzz.h"

using namespace pulse;
using fuzz::expect;

namespace {

void read_page(std::string_view text) {
  const auto page = parse_pod_page(text);
  if (!page) {
    expect(!page.error().text.empty(), "an error says why");
    return;
  }
  for (const Pod& pod : page->pods) expect(pod.is_member(), "a page has members alone");
  PodSet set;
  set.replace(page->pods);
  expect(set.members(6032, true).size() == set.size() && set.size() <= page->pods.size(), "one member a pod");
}

// The lines of a stream in pieces of `size` bytes.
std::vector<std::string> lines_of(std::string_view stream, size_t size, size_t most, bool& whole) {
  std::vector<std::string> lines;
  LineSplitter splitter(most);
  whole = true;
  while (!stream.empty() && whole) {
    whole = splitter.feed(stream.substr(0, size), [&](std::string_view line) {
      lines.emplace_back(line);
      return true;
    });
    stream.remove_prefix(std::min(size, stream.size()));
  }
  expect(splitter.rest().size() <= most, "a line is bounded");
  return lines;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t kind = input.byte();
  if (kind == 'p') {
    read_page(input.rest());
    static_cast<void>(parse_status_message(input.rest()));
    return 0;
  }
  bool whole = false, in_pieces = false;
  constexpr size_t kMost = 4096;
  const std::vector<std::string> lines = lines_of(input.rest(), input.rest().size() + 1, kMost, whole);
  const std::vector<std::string> again = lines_of(input.rest(), kind % 61 + 1u, kMost, in_pieces);
  expect(whole == in_pieces, "pieces don't make a line longer");
  if (whole) expect(lines == again, "pieces make no other lines");
  PodSet set;
  for (const std::string& line : lines) {
    const auto event = parse_watch_event(line);
    if (!event) {
      expect(!event.error().text.empty(), "an error says why");
      continue;
    }
    const size_t before = set.size();
    const bool changed = set.apply(*event);
    expect(changed || set.size() == before, "a change is said");
  }
  expect(set.members(6032, false).size() == set.size(), "one member a pod");
  return 0;
}
