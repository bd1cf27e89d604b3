import Glibc
import Synchronization

/// Memory for tensors, kept for the next tensors.
///
/// A training step allocates and frees the same sizes again and again; memory that comes fresh from the system costs a
/// page fault for every 4 KiB, which is more than most elementwise operations on it.
enum BufferPool {
  /// Bytes that may lie idle in any case.
  private static let idleLimitBytes = 1 << 30
  /// Smaller buffers are left to the allocator, which handles them without system calls.
  private static let smallestBytes = 4 << 10
  /// Buffers from this size on are cut from large blocks; smaller ones are kept by size.
  private static let largeBytes = 1 << 20

  private struct Shelves {
    /// Addresses of idle small buffers by size.
    var buffers: [Int: [UInt]] = [:]
    /// Bytes of idle small buffers.
    var idleBytes = 0
    /// What lies idle between large buffers.
    var free = FreeMemory()
    /// The lowest address that large buffers came from; the next memory is asked for just below, so that the two are one.
    var lowest: UInt = 0
    /// Bytes that are out, and the most that ever were. A pass that has ended leaves its memory to the next: what was in
    /// use at once before may lie idle, and an eighth more, since large buffers of many sizes leave gaps. So a process
    /// keeps what it needs at its height and no more.
    var usedBytes = 0
    var mostUsedBytes = 0

    /// Counts a buffer that goes out.
    mutating func use(_ size: Int) {
      usedBytes += size
      mostUsedBytes = max(mostUsedBytes, usedBytes)
    }

    mutating func takeSmall(_ size: Int) -> UInt? {
      guard let address = buffers[size]?.popLast() else { return nil }
      if buffers[size]?.isEmpty == true { buffers[size] = nil }
      idleBytes -= size
      return address
    }

    mutating func giveSmall(_ address: UInt, _ size: Int) {
      buffers[size, default: []].append(address)
      idleBytes += size
    }

    /// What has to go back to the system, for the limit of what may lie idle: small buffers, the largest first, then large
    /// memory.
    mutating func leaving() -> (small: [UInt], large: [Range<UInt>]) {
      let limit = max(idleLimitBytes, mostUsedBytes + mostUsedBytes / 8 - usedBytes)
      var small: [UInt] = []
      while idleBytes + free.bytes > limit, let size = buffers.keys.max(), let address = takeSmall(size) {
        small.append(address)
      }
      return (small, free.remove(bytes: idleBytes + free.bytes - limit, pages: hugePageBytes))
    }

    /// A large buffer from memory that lies idle or, where none is large enough, from the system.
    mutating func takeLarge(_ size: Int) -> UInt? {
      if let address = free.take(size) { return address }
      // What lies idle at the lower end counts.
      let missing = roundedUp(size - free.bytes(at: lowest), to: hugePageBytes)
      if lowest > UInt(missing), let start = map(missing, at: lowest - UInt(missing)) {
        lowest = start
        free.give(start, missing)
        return free.take(size)
      }
      let whole = roundedUp(size, to: hugePageBytes)
      guard let start = map(whole) else { return nil }
      lowest = start
      free.give(start, whole)
      return free.take(size)
    }
  }

  private static let shelves = Mutex(Shelves())

  /// Uninitialized memory, aligned to a cache line.
  static func take(bytes: Int) -> UnsafeMutableRawPointer {
    let size = roundedSize(bytes)
    let isCounting = WorkCount.active != nil
    guard size >= smallestBytes else {
      let pointer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
      if isCounting { pointer.initializeMemory(as: UInt8.self, repeating: 0, count: size) }
      return pointer
    }
    let isLarge = size >= largeBytes
    let kept = shelves.withLock { shelves in
      shelves.use(size)
      // Where nothing is computed, all memory holds zeros: that of the system does so without being touched.
      if isCounting { return isLarge ? map(size) : nil }
      return isLarge ? shelves.takeLarge(size) : shelves.takeSmall(size)
    }
    if let kept, let pointer = UnsafeMutableRawPointer(bitPattern: kept) { return pointer }
    precondition(!isLarge, "the system has no \(size) bytes of memory left")
    let pointer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    if isCounting { pointer.initializeMemory(as: UInt8.self, repeating: 0, count: size) }
    return pointer
  }

  /// Takes back what `take` gave for the same number of bytes.
  static func give(_ pointer: UnsafeMutableRawPointer, bytes: Int) {
    let size = roundedSize(bytes)
    guard size >= smallestBytes else { return pointer.deallocate() }
    let isLarge = size >= largeBytes
    let isCounting = WorkCount.active != nil
    let address = UInt(bitPattern: pointer)
    let leaving: (small: [UInt], large: [Range<UInt>]) = shelves.withLock { shelves in
      shelves.usedBytes -= size
      if isCounting { return isLarge ? ([], [address..<address + UInt(size)]) : ([address], []) }
      if isLarge { shelves.free.give(address, size) } else { shelves.giveSmall(address, size) }
      return shelves.leaving()
    }
    for address in leaving.small { UnsafeMutableRawPointer(bitPattern: address)?.deallocate() }
    for range in leaving.large { munmap(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count) }
  }

  /// Large buffers come from the system in huge pages where it has them: tiles and panels are read in dozens of places at
  /// once, and small pages would not all be found by the processor.
  private static let hugePageBytes = 2 << 20

  /// Memory that begins with a huge page.
  /// - Returns: nil where the system has none.
  private static func map(_ size: Int) -> UInt? {
    let room = size + hugePageBytes
    guard let start = mmap(nil, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), start != MAP_FAILED
    else { return nil }
    // What lies before the first and after the last whole page goes back.
    let before = (hugePageBytes - Int(bitPattern: start) % hugePageBytes) % hugePageBytes
    let pointer = start + before
    if before > 0 { munmap(start, before) }
    if room > before + size { munmap(pointer + size, room - before - size) }
    madvise(pointer, size, MADV_HUGEPAGE)
    return UInt(bitPattern: pointer)
  }

  /// Memory at an address.
  /// - Returns: nil where something else is there, or the system has none.
  private static func map(_ size: Int, at address: UInt) -> UInt? {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE
    guard
      let start = mmap(UnsafeMutableRawPointer(bitPattern: address), size, PROT_READ | PROT_WRITE, flags, -1, 0),
      start != MAP_FAILED
    else { return nil }
    madvise(start, size, MADV_HUGEPAGE)
    return UInt(bitPattern: start)
  }

  private static func roundedUp(_ bytes: Int, to step: Int) -> Int { (bytes + step - 1) / step * step }

  /// Small sizes in steps of an eighth of a power of two, so that at most an eighth is wasted; large ones in whole pages.
  private static func roundedSize(_ bytes: Int) -> Int {
    guard bytes >= smallestBytes else { return max(bytes, 64) }
    if bytes >= largeBytes { return roundedUp(bytes, to: 4096) }
    return roundedUp(bytes, to: 1 << max(Int.bitWidth - bytes.leadingZeroBitCount - 4, 0))
  }
}
