// Satellites that have diverged, and what the cores do about them. Part of shm/segment/layout.h, with the same rules.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pulse {

// A module of a satellite that its ProxySQL can't bring to what the cores have, as that satellite's /status says.
struct StuckModule {
  std::array<char, 128> name;           // of the pod; "" where the source knows none
  std::array<char, 48> address;         // numeric, without brackets
  std::array<char, 32> module;          // as in runtime_checksums_values
  std::array<char, 24> checksum;        // the satellite's
  std::array<char, 24> peers_checksum;  // of all cores that it reaches
  int64_t epoch;                        // the satellite's
  int64_t since_ns;                     // since when neither side has changed
  int64_t seen_ns;                      // when a beat there saw it
  uint32_t port;
  uint8_t origin;  // ModuleOrigin
  std::array<uint8_t, 3> unused;
};

inline constexpr size_t kStuckModules = 64;

// What the satellites' daemons say, as the daemon of the cores' leader reads it. Written by the daemon.
struct SatelliteReports {
  uint64_t boot_id;     // of the machine
  int64_t leads_ns;     // when this daemon last found that it is the one to ask; 0: never
  int64_t asked_ns;     // the last time that it asked anybody; 0: never
  uint32_t satellites;  // of the list
  uint32_t answered;    // of these, with a report, when they were last asked
  uint32_t older;       // of these, without one: a Pulse that is older than these reports
  uint32_t left_out;    // modules beyond kStuckModules
  uint32_t count;       // of modules[]
  uint32_t unused;
  std::array<char, 256> error;  // of a satellite that gave none, "" if all did
  std::array<StuckModule, kStuckModules> modules;
};

// How much of it, from the beginning, says something.
inline size_t report_bytes(const SatelliteReports& reports) {
  const size_t count = reports.count < kStuckModules ? reports.count : kStuckModules;
  return offsetof(SatelliteReports, modules) + count * sizeof(StuckModule);
}

// What a core has done for one module of one satellite.
struct Mend {
  std::array<char, 48> address;  // of the satellite
  std::array<char, 32> module;   // as in StuckModule
  uint32_t port;
  uint32_t loads;             // without a long rest in between
  int64_t loaded_ns;          // the last of these, or of the tries that came to none; 0: none
  std::array<char, 192> why;  // nothing is loaded for it at the moment; "" if it is, or needn't be
};

inline constexpr size_t kMends = 16;

// Written by the lock's holder, on a core.
struct MendRecord {
  uint32_t count;
  uint32_t unused;
  std::array<Mend, kMends> mends;
};

inline size_t mend_bytes(const MendRecord& record) {
  const size_t count = record.count < kMends ? record.count : kMends;
  return offsetof(MendRecord, mends) + count * sizeof(Mend);
}

}  // namespace pulse
