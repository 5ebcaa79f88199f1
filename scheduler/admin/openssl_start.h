// When and how OpenSSL starts: for a connection with TLS, and not before.
#pragma once

namespace pulse {

// To be called before the first connection with TLS. Whoever starts OpenSSL first decides how much of it: with
// configuration file and error strings it costs more than the whole rest of a beat.
void start_openssl();

}  // namespace pulse
