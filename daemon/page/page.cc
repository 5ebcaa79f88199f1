#include "daemon/page/page.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <string>

namespace pulse {

namespace {

// What stands between <TAG> and </TAG>: what a browser hashes.
std::string_view inside(std::string_view text, std::string_view tag) {
  const std::string begin = "<" + std::string(tag) + ">";
  const size_t from = text.find(begin);
  const size_t to = text.find("</" + std::string(tag) + ">");
  if (from == std::string_view::npos || to == std::string_view::npos) return {};
  return text.substr(from + begin.size(), to - from - begin.size());
}

// 'sha256-BASE64', as a policy names a script.
std::string source_hash(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA256_DIGEST_LENGTH + 2) / 3) + 1> base64{};
  const int length = ::EVP_EncodeBlock(base64.data(), digest.data(), SHA256_DIGEST_LENGTH);
  return "'sha256-" + std::string(reinterpret_cast<const char*>(base64.data()), static_cast<size_t>(length)) + "'";
}

}  // namespace

HttpResponse page_response() {
  static const std::string policy = "default-src 'none'; connect-src 'self'; script-src " +
                                    source_hash(inside(page_text(), "script")) + "; style-src " +
                                    source_hash(inside(page_text(), "style")) +
                                    "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  HttpResponse response{200, std::string(page_text()), "text/html; charset=utf-8"};
  response.headers = {{"Content-Security-Policy", policy},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cache-Control", "no-store"}};
  return response;
}

}  // namespace pulse
