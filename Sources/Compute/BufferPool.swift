import Glibc
import Synchronization

/// Memory for tensors, kept for the next tensor of about the same size.
///
/// A training step allocates and frees the same sizes again and again; memory that comes fresh from the system costs a
/// page fault for every 4 KiB, which is more than most elementwise operations on it.
enum BufferPool {
  /// Bytes that may lie idle; more goes back to the system.
  private static let idleLimitBytes = 1 << 30
  /// Smaller buffers are left to the allocator, which handles them without system calls.
  private static let smallestBytes = 4 << 10

  private struct Shelves {
    var buffers: [Int: [UInt]] = [:]
    var idleBytes = 0
  }

  private static let shelves = Mutex(Shelves())

  /// Uninitialized memory, aligned to a cache line.
  static func take(bytes: Int) -> UnsafeMutableRawPointer {
    let size = shelfSize(bytes)
    if size >= smallestBytes {
      let address = shelves.withLock { shelves -> UInt? in
        guard let address = shelves.buffers[size]?.popLast() else { return nil }
        shelves.idleBytes -= size
        return address
      }
      if let address, let pointer = UnsafeMutableRawPointer(bitPattern: address) { return pointer }
    }
    return size >= mappedBytes ? map(size) : .allocate(byteCount: size, alignment: 64)
  }

  /// Large buffers come from the system in huge pages where it has them: tiles and panels are read in dozens of places at
  /// once, and small pages would not all be found by the processor.
  private static let mappedBytes = 1 << 20
  private static let hugePageBytes = 2 << 20

  private static func map(_ size: Int) -> UnsafeMutableRawPointer {
    let room = size + hugePageBytes
    guard let start = mmap(nil, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), start != MAP_FAILED
    else { preconditionFailure("the system has no \(size) bytes of memory left") }
    // What lies before the first and after the last whole page goes back.
    let before = (hugePageBytes - Int(bitPattern: start) % hugePageBytes) % hugePageBytes
    let pointer = start + before
    if before > 0 { munmap(start, before) }
    if room > before + mappedSize(size) { munmap(pointer + mappedSize(size), room - before - mappedSize(size)) }
    madvise(pointer, mappedSize(size), MADV_HUGEPAGE)
    return pointer
  }

  /// Whole small pages.
  private static func mappedSize(_ size: Int) -> Int { (size + 4095) / 4096 * 4096 }

  /// Takes back what `take` gave for the same number of bytes.
  static func give(_ pointer: UnsafeMutableRawPointer, bytes: Int) {
    let size = shelfSize(bytes)
    if size >= smallestBytes {
      let isKept = shelves.withLock { shelves in
        guard shelves.idleBytes + size <= idleLimitBytes else { return false }
        shelves.buffers[size, default: []].append(UInt(bitPattern: pointer))
        shelves.idleBytes += size
        return true
      }
      if isKept { return }
    }
    if size >= mappedBytes { munmap(pointer, mappedSize(size)) } else { pointer.deallocate() }
  }

  /// Sizes in steps of an eighth of a power of two, so that at most an eighth is wasted.
  private static func shelfSize(_ bytes: Int) -> Int {
    guard bytes >= smallestBytes else { return max(bytes, 64) }
    let step = 1 << max(Int.bitWidth - bytes.leadingZeroBitCount - 4, 0)
    return (bytes + step - 1) / step * step
  }
}
