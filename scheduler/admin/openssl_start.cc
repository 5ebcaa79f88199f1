#include "scheduler/admin/openssl_start.h"

#include <openssl/ssl.h>

#include <cstddef>

namespace pulse {

void start_openssl() { OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_SSL_STRINGS, nullptr); }

}  // namespace pulse

#ifdef PULSE_STATIC_BEAT
// The linker gives these two calls to us (--wrap, cmake/StaticBeat.cmake): OpenSSL looks at the processor before
// main(), by instructions that are slow in virtual machines, and Connector/C starts it whether TLS is used or not. Here
// it starts when a connection wants TLS.
extern "C" {
int __real_ma_tls_start(char* message, size_t size);
void __real_OPENSSL_cpuid_setup();

void __wrap_OPENSSL_cpuid_setup() {}

int __wrap_ma_tls_start(char* message, size_t size) {
  if (message == nullptr) return 0;  // the library's own start
  __real_OPENSSL_cpuid_setup();
  pulse::start_openssl();
  return __real_ma_tls_start(message, size);
}
}
#endif
