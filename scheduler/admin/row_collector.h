// Keeps a whole result, up to a bound: a peer that never stops sending costs no memory.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/admin/admin_session.h"

namespace pulse {

class RowCollector final : public RowSink {
 public:
  // An error once the rows take more than 24 MiB of memory: some 40,000 rows of mysql_users. A beat limits itself
  // to 64.
  Result<void> columns(const std::vector<std::string_view>& names) override;
  Result<void> row(const std::vector<std::optional<std::string_view>>& cells) override;

  bool is_full() const;
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }
  std::vector<std::vector<std::string>> take_rows() { return std::move(rows_); }

 private:
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> rows_;  // NULL is ""
  size_t bytes_ = 0;
};

}  // namespace pulse
