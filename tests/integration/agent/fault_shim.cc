// LD_PRELOAD: fails the n-th call of one system call wrapper, once, with a chosen errno.
//
//   FAULT_CALL=symlinkat FAULT_NTH=3 FAULT_ERRNO=28    the third call fails with ENOSPC
//   FAULT_COUNT_FILE=path                              how often each was called, at the end
//
// Headers that declare the wrappers are left out: they are defined here.
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

namespace {

enum Call {
  kOpenat2,
  kOpen,
  kStatx,
  kFstat,
  kGetdents,
  kSymlinkat,
  kRenameat,
  kUnlinkat,
  kReadlinkat,
  kInotifyAddWatch,
  kFstatfs,
  kFdatasync,
  kWrite,
  kFlock,
  kCalls
};
constexpr const char* kNames[kCalls] = {
    "openat2",   "open",      "statx",    "fstat",      "getdents64",
    "symlinkat", "renameat",  "unlinkat", "readlinkat", "inotify_add_watch",
    "fstatfs",   "fdatasync", "write",    "flock"};
constexpr int kCreate = 0100;  // O_CREAT: there is a mode
constexpr int kHere = -100;    // AT_FDCWD

// Constant-initialized: the first calls come before any constructor.
int counts[kCalls];
const char* fault_call;
int fault_nth;
int fault_errno;

int number(const char* variable) {
  const char* const text = getenv(variable);
  return text == nullptr ? 0 : atoi(text);
}

__attribute__((constructor)) void read_environment() {
  fault_call = getenv("FAULT_CALL");
  fault_nth = number("FAULT_NTH");
  fault_errno = number("FAULT_ERRNO");
}

__attribute__((destructor)) void write_counts() {
  const char* const path = getenv("FAULT_COUNT_FILE");
  FILE* const file = path == nullptr ? nullptr : fopen(path, "w");
  if (file == nullptr) return;
  for (int i = 0; i < kCalls; ++i) {
    fprintf(file, "%s %d\n", kNames[i], __atomic_load_n(&counts[i], __ATOMIC_RELAXED));
  }
  fclose(file);
}

bool fails(Call call) {
  const int nth = __atomic_add_fetch(&counts[call], 1, __ATOMIC_RELAXED);
  if (fault_call == nullptr || nth != fault_nth || strcmp(kNames[call], fault_call) != 0) {
    return false;
  }
  errno = fault_errno;
  return true;
}

// The wrapper that this library stands before.
template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// A file with a path: pipes, sockets and eventfds are links like "anon_inode:[eventfd]" in /proc.
bool has_path(int fd) {
  char path[32];
  char target[16];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  static const auto read_link = real<ssize_t (*)(int, const char*, char*, size_t)>("readlinkat");
  return read_link(kHere, path, target, 1) == 1 && target[0] == '/';
}

}  // namespace

extern "C" {

long syscall(long number, ...) noexcept {
  static const auto next = real<long (*)(long, long, long, long, long, long, long)>("syscall");
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_openat2 && fails(kOpenat2)) return -1;
  if (number == SYS_getdents64 && fails(kGetdents)) return -1;
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int openat(int directory, const char* path, int flags, ...) {
  static const auto next = real<int (*)(int, const char*, int, unsigned)>("openat");
  va_list list;
  va_start(list, flags);
  const unsigned mode = (flags & kCreate) != 0 ? va_arg(list, unsigned) : 0;
  va_end(list);
  return fails(kOpen) ? -1 : next(directory, path, flags, mode);
}

int open(const char* path, int flags, ...) {
  static const auto next = real<int (*)(const char*, int, unsigned)>("open");
  va_list list;
  va_start(list, flags);
  const unsigned mode = (flags & kCreate) != 0 ? va_arg(list, unsigned) : 0;
  va_end(list);
  return fails(kOpen) ? -1 : next(path, flags, mode);
}

int statx(int directory, const char* path, int flags, unsigned mask, void* out) noexcept {
  static const auto next = real<int (*)(int, const char*, int, unsigned, void*)>("statx");
  return fails(kStatx) ? -1 : next(directory, path, flags, mask, out);
}

int fstat(int fd, void* out) noexcept {
  static const auto next = real<int (*)(int, void*)>("fstat");
  return fails(kFstat) ? -1 : next(fd, out);
}

int symlinkat(const char* target, int directory, const char* path) noexcept {
  static const auto next = real<int (*)(const char*, int, const char*)>("symlinkat");
  return fails(kSymlinkat) ? -1 : next(target, directory, path);
}

int renameat(int from_fd, const char* from, int to_fd, const char* to) noexcept {
  static const auto next = real<int (*)(int, const char*, int, const char*)>("renameat");
  return fails(kRenameat) ? -1 : next(from_fd, from, to_fd, to);
}

int unlinkat(int directory, const char* path, int flags) noexcept {
  static const auto next = real<int (*)(int, const char*, int)>("unlinkat");
  return fails(kUnlinkat) ? -1 : next(directory, path, flags);
}

ssize_t readlinkat(int directory, const char* path, char* out, size_t size) noexcept {
  static const auto next = real<ssize_t (*)(int, const char*, char*, size_t)>("readlinkat");
  return fails(kReadlinkat) ? -1 : next(directory, path, out, size);
}

int inotify_add_watch(int fd, const char* path, unsigned mask) noexcept {
  static const auto next = real<int (*)(int, const char*, unsigned)>("inotify_add_watch");
  return fails(kInotifyAddWatch) ? -1 : next(fd, path, mask);
}

int fstatfs(int fd, void* out) noexcept {
  static const auto next = real<int (*)(int, void*)>("fstatfs");
  return fails(kFstatfs) ? -1 : next(fd, out);
}

int fdatasync(int fd) {
  static const auto next = real<int (*)(int)>("fdatasync");
  return fails(kFdatasync) ? -1 : next(fd);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  static const auto next = real<ssize_t (*)(int, const void*, size_t)>("write");
  // An eventfd of one's own (a signal's, a timer's) has no disk behind it: such a write cannot
  // fail.
  return has_path(fd) && fails(kWrite) ? -1 : next(fd, bytes, size);
}

int flock(int fd, int operation) noexcept {
  static const auto next = real<int (*)(int, int)>("flock");
  return fails(kFlock) ? -1 : next(fd, operation);
}

}  // extern "C"
