import Glibc
import Synchronization

/// Memory for tensors, kept for the next tensor of about the same size.
///
/// A training step allocates and frees the same sizes again and again; memory that comes fresh from the system costs a
/// page fault for every 4 KiB, which is more than most elementwise operations on it.
enum BufferPool {
  /// Bytes that may lie idle in any case.
  private static let idleLimitBytes = 1 << 30
  /// Smaller buffers are left to the allocator, which handles them without system calls.
  private static let smallestBytes = 4 << 10

  private struct Shelves {
    /// Addresses of idle buffers by size.
    var buffers: [Int: [UInt]] = [:]
    var idleBytes = 0
    /// Bytes that are out, and the most that ever were. A pass that has ended leaves its memory to the next: what was in
    /// use at once before may lie idle, so that a process keeps what it needs at its height and no more.
    var usedBytes = 0
    var mostUsedBytes = 0
    /// Sizes of the large buffers that are out, which may be larger than what was asked for.
    var largeSizes: [UInt: Int] = [:]

    /// Takes an idle buffer: of this very size, or, among large ones, of up to an eighth more, since the system clears
    /// every page that it gives out. No more than that: what stays for long, such as a sum of gradients, keeps what it got.
    mutating func take(_ size: Int, isLarge: Bool) -> UInt? {
      var found = size
      if buffers[size]?.isEmpty ?? true {
        guard isLarge, let next = buffers.keys.filter({ $0 > size && $0 <= size + size / 8 }).min() else { return nil }
        found = next
      }
      guard let address = buffers[found]?.popLast() else { return nil }
      if buffers[found]?.isEmpty == true { buffers[found] = nil }
      idleBytes -= found
      if isLarge { largeSizes[address] = found }
      use(found)
      return address
    }

    /// Counts a buffer that goes out.
    mutating func use(_ size: Int) {
      usedBytes += size
      mostUsedBytes = max(mostUsedBytes, usedBytes)
    }

    /// Keeps a buffer, and names those that have to go for it: the largest that are not of its size.
    mutating func give(_ address: UInt, _ size: Int, keeps: Bool) -> [(address: UInt, size: Int)] {
      usedBytes -= size
      if !keeps { return [(address, size)] }
      let limit = max(idleLimitBytes, mostUsedBytes - usedBytes)
      var leaving: [(UInt, Int)] = []
      while idleBytes + size > limit, let other = buffers.keys.filter({ $0 != size }).max() {
        guard let gone = buffers[other]?.popLast() else { break }
        if buffers[other]?.isEmpty == true { buffers[other] = nil }
        idleBytes -= other
        leaving.append((gone, other))
      }
      if idleBytes + size > limit { return leaving + [(address, size)] }
      buffers[size, default: []].append(address)
      idleBytes += size
      return leaving
    }
  }

  private static let shelves = Mutex(Shelves())

  /// Uninitialized memory, aligned to a cache line.
  static func take(bytes: Int) -> UnsafeMutableRawPointer {
    let size = shelfSize(bytes)
    let isCounting = WorkCount.active != nil
    guard size >= smallestBytes else {
      let pointer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
      if isCounting { pointer.initializeMemory(as: UInt8.self, repeating: 0, count: size) }
      return pointer
    }
    let isLarge = size >= mappedBytes
    if !isCounting, let address = shelves.withLock({ $0.take(size, isLarge: isLarge) }),
      let pointer = UnsafeMutableRawPointer(bitPattern: address)
    {
      return pointer
    }
    // Where nothing is computed, all memory holds zeros: that of the system does so without being touched.
    let pointer = isLarge ? map(size) : .allocate(byteCount: size, alignment: 64)
    if isCounting && !isLarge { pointer.initializeMemory(as: UInt8.self, repeating: 0, count: size) }
    shelves.withLock { shelves in
      if isLarge { shelves.largeSizes[UInt(bitPattern: pointer)] = size }
      shelves.use(size)
    }
    return pointer
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
    let asked = shelfSize(bytes)
    guard asked >= smallestBytes else { return pointer.deallocate() }
    let isCounting = WorkCount.active != nil
    let leaving = shelves.withLock { shelves in
      let address = UInt(bitPattern: pointer)
      let size = shelves.largeSizes.removeValue(forKey: address) ?? asked
      return shelves.give(address, size, keeps: !isCounting)
    }
    for (address, size) in leaving {
      guard let pointer = UnsafeMutableRawPointer(bitPattern: address) else { continue }
      if size >= mappedBytes { munmap(pointer, mappedSize(size)) } else { pointer.deallocate() }
    }
  }

  /// Sizes in steps of an eighth of a power of two, so that at most an eighth is wasted.
  private static func shelfSize(_ bytes: Int) -> Int {
    guard bytes >= smallestBytes else { return max(bytes, 64) }
    let step = 1 << max(Int.bitWidth - bytes.leadingZeroBitCount - 4, 0)
    return (bytes + step - 1) / step * step
  }
}
