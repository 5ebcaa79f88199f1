// A status to fill in: what status_json() and status_text() make their texts of.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "shm/status/status_json.h"

namespace pulse {

class StatusFixture : public ::testing::Test {
 protected:
  void add_member(const std::string& address, bool core, const std::string& name = "", bool ready = false) {
    Member& member = members_->members[members_->count++];
    set_text(member.address, address);
    set_text(member.name, name);
    member.port = 6032;
    member.is_core = core;
    member.ready = ready;
    view_.members = members_;
  }

  static constexpr int64_t kNow = 100'000'000'000;
  StateView view_;
  std::shared_ptr<Members> members_ = std::make_shared<Members>();
  Verdict verdict_;
  PortView port_;
  Config config_;
  StatusInput input_{view_, verdict_, port_, config_, 0, kNow};
};

}  // namespace pulse
