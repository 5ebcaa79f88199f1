// For the static daemon alone: the parts of the C library's name service that would load plug-ins (NSS) and that nobody
// calls, for names are looked up in name_lookup.cc. OpenSSL and c-ares contain calls that are never reached, and these
// here stand in their way, so that what they would bring along isn't linked. cpp-httplib calls getaddrinfo(3) with
// addresses alone, for which the C library needs no plug-in.
#include <netdb.h>

#include <cerrno>

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name,readability-non-const-parameter): the C library's
extern "C" {

int getnameinfo(const sockaddr*, socklen_t, char*, socklen_t, char*, socklen_t, int) { return EAI_FAIL; }
hostent* gethostbyname(const char*) { return nullptr; }
servent* getservbyname(const char*, const char*) { return nullptr; }
int getservbyport_r(int, const char*, servent*, char*, size_t, servent** result) {
  *result = nullptr;
  return ENOENT;
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name,readability-non-const-parameter)
