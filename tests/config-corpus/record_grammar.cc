// Prints grammar.txt anew, with the answers of the libconfig that this is built with: see record_grammar. The working
// directory is where its files are put.
#include <libconfig.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/config-corpus/corpus.h"

namespace {

using pulse::test::escape;
using pulse::test::unescape;

void show(const config_setting_t* setting, bool named, std::string& out) {
  if (named) {
    out += config_setting_name(setting) + ("@" + std::to_string(config_setting_source_line(setting))) + "=";
  }
  const int type = config_setting_type(setting);
  char number[64];
  switch (type) {
    case CONFIG_TYPE_INT:
      out += "i" + std::to_string(config_setting_get_int(setting));
      return;
    case CONFIG_TYPE_INT64:
      out += "l" + std::to_string(config_setting_get_int64(setting));
      return;
    case CONFIG_TYPE_BOOL:
      out += config_setting_get_bool(setting) != 0 ? "true" : "false";
      return;
    case CONFIG_TYPE_FLOAT:
      std::snprintf(number, sizeof number, "f%.17g", config_setting_get_float(setting));
      out += number;
      return;
    case CONFIG_TYPE_STRING: {
      const char* text = config_setting_get_string(setting);
      out += '"' + escape(text == nullptr ? "" : text) + '"';
      return;
    }
    default:
      break;
  }
  const char* brackets = type == CONFIG_TYPE_GROUP ? "{}" : type == CONFIG_TYPE_LIST ? "()" : "[]";
  out += brackets[0];
  for (int i = 0; i < config_setting_length(setting); ++i) {
    show(config_setting_get_elem(setting, static_cast<unsigned>(i)), type == CONFIG_TYPE_GROUP, out);
    out += ';';
  }
  out += brackets[1];
}

std::string answer(const std::string& input) {
  std::ofstream("f", std::ios::binary) << input;
  config_t config;
  config_init(&config);
  std::string out;
  if (config_read_file(&config, "f") == CONFIG_TRUE) {
    show(config_root_setting(&config), false, out);
  } else {
    out = "E " + std::string(config_error_file(&config)) + ":" + std::to_string(config_error_line(&config)) + ": " +
          config_error_text(&config);
  }
  config_destroy(&config);
  return out;
}

}  // namespace

int main(int, char** argv) {
  std::ofstream made(argv[1]);
  made << "# Recorded by record_grammar from libconfig " << LIBCONFIG_VER_MAJOR << '.' << LIBCONFIG_VER_MINOR << '.'
       << LIBCONFIG_VER_REVISION << ". See README.md.\n";
  for (const std::string& line : pulse::test::corpus_lines("grammar.txt")) {
    const size_t tab = line.find('\t');
    if (line.rfind("file ", 0) == 0) {
      std::ofstream(line.substr(5, tab - 5), std::ios::binary) << unescape(line.substr(tab + 1));
      made << line << '\n';
    } else {
      const std::string input = line.substr(0, tab);
      made << input << '\t' << answer(unescape(input)) << '\n';
    }
  }
  return made.flush() ? 0 : 1;
}
