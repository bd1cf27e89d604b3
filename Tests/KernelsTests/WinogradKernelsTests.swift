import Foundation
import KernelInterface
import Testing

@Suite("Minimal filtering of each kernel set")
struct WinogradKernelsTests {
  static let filters: [WinogradFilter] = [
    .square3Tile4, .square3Tile2, .square5, .row3, .column3, .row7, .column7,
  ]
  static let channels = [(3, 5), (16, 16), (17, 40), (8, 33), (31, 70)]

  private func shape(_ set: KernelSetCase, _ filter: WinogradFilter, _ channels: (Int, Int)) -> WinogradShape {
    WinogradShape(
      height: 9, width: 7, inputs: channels.0, outputs: channels.1, verticalPadding: filter.taps.height / 2,
      horizontalPadding: filter.taps.width / 2, filter: filter, table: set.table)
  }

  /// Two images through one block of tiles.
  private func filtered(_ set: KernelSetCase, _ filter: WinogradFilter, _ channels: (Int, Int)) -> [Float] {
    let (kernels, shape) = (set.table.winograd, shape(set, filter, channels))
    let x = Floats(random: 2 * 9 * 7 * channels.0, 1)
    let weight = Floats(random: filter.taps.height * filter.taps.width * channels.0 * channels.1, 2)
    let bias = Floats(random: channels.1, 3)
    let residual = Floats(random: 2 * shape.outHeight * shape.outWidth * channels.1, 4)
    let (tiles, panels) = (2 * shape.tiles, 0..<set.table.panels(channels.1))
    let columns = panels.count * set.table.panelColumns
    let scratch = Floats(count: kernels.scratchCount(shape))
    let packed = Floats(count: shape.weightCount)
    // Less than a vector behind the last tile is overwritten, which the stride's padding holds.
    let v = Floats(count: shape.positions * shape.inputStride(tiles: tiles))
    let m = Floats(count: shape.positions * shape.productStride(tiles: tiles, columns: columns))
    let y = Floats(count: residual.count)
    kernels.transformWeights(
      shape, weight.source, tapStride: channels.0 * channels.1, rows: 0..<channels.0, into: packed.target)
    kernels.transformInputs(
      shape, x.source, tiles: 0..<tiles, into: v.target, stride: shape.inputStride(tiles: tiles),
      scratch: scratch.target)
    kernels.multiply(shape, tiles: tiles, v.source, packed: packed.source, panels: panels, into: m.target)
    let epilogue = ConvolutionEpilogue(bias: bias.source, residual: residual.source, scale: 0.5, rectifies: true)
    kernels.transformOutputs(
      shape, tiles: 0..<tiles, m.source, panels: panels, epilogue, into: y.target, scratch: scratch.target)
    #expect(y.isIntact && scratch.isIntact && packed.isIntact && v.isIntact && m.isIntact)
    return y.values
  }

  /// The definition, in double precision.
  private func direct(_ filter: WinogradFilter, _ channels: (Int, Int)) -> [Double] {
    let (rows, columns) = filter.taps
    let x = Floats(random: 2 * 9 * 7 * channels.0, 1)
    let weight = Floats(random: rows * columns * channels.0 * channels.1, 2)
    let bias = Floats(random: channels.1, 3)
    let residual = Floats(random: 2 * 9 * 7 * channels.1, 4)
    var y = residual.values.map(Double.init)
    for image in 0..<2 {
      for oy in 0..<9 {
        for ox in 0..<7 {
          let place = ((image * 9 + oy) * 7 + ox) * channels.1
          for ky in 0..<rows {
            for kx in 0..<columns {
              let (iy, ix) = (oy + ky - rows / 2, ox + kx - columns / 2)
              guard (0..<9).contains(iy), (0..<7).contains(ix) else { continue }
              for input in 0..<channels.0 {
                let value = Double(x.source[((image * 9 + iy) * 7 + ix) * channels.0 + input])
                let line = weight.source + ((ky * columns + kx) * channels.0 + input) * channels.1
                for output in 0..<channels.1 { y[place + output] += value * Double(line[output]) }
              }
            }
          }
          for output in 0..<channels.1 {
            y[place + output] = max(0, (y[place + output] + Double(bias.source[output])) * 0.5)
          }
        }
      }
    }
    return y
  }

  @Test("Transforms and products are a convolution with what follows it", arguments: KernelSetCase.all, filters)
  func convolution(set: KernelSetCase, filter: WinogradFilter) {
    for channels in Self.channels {
      let (found, expected) = (filtered(set, filter, channels), direct(filter, channels))
      let scale = (expected.reduce(0) { $0 + $1 * $1 } / Double(expected.count)).squareRoot()
      let error = zip(found, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) } / scale
      #expect(error < 4e-5, "\(channels)")
    }
  }

  @Test("All sets give the same bits", arguments: filters)
  func agreement(filter: WinogradFilter) {
    for channels in Self.channels {
      let all = KernelSetCase.all.map { filtered($0, filter, channels).bits }
      #expect(all.allSatisfy { $0 == all[0] }, "\(channels)")
    }
  }

  @Test(
    "Gradients of weights, by rows of positions and at once, are those of the definition",
    arguments: KernelSetCase.all, [WinogradFilter.square3Tile4, .square3Tile2])
  func weightGradient(set: KernelSetCase, filter: WinogradFilter) {
    for channels in Self.channels {
      let (kernels, shape) = (set.table.winograd, shape(set, filter, channels))
      let (x, dy) = (Floats(random: 2 * 9 * 7 * channels.0, 1), Floats(random: 2 * 9 * 7 * channels.1, 5))
      let (tiles, panels) = (2 * shape.tiles, 0..<set.table.panels(channels.1))
      let scratch = Floats(count: kernels.scratchCount(shape))
      let sums = Floats(count: shape.positions * channels.0 * shape.gradientColumns)
      func accumulate(row: Int?) -> [Float] {
        let positions = row == nil ? shape.positions : shape.points
        let v = Floats(count: positions * tiles * shape.gradientInputStride + 16)
        let d = Floats(count: positions * panels.count * tiles * set.table.panelColumns)
        let first = (row ?? 0) * shape.points * channels.0 * shape.gradientColumns
        kernels.accumulateWeightGradient(
          shape, x.source, dy.source, row: row, tiles: 0..<tiles, panels: panels, v: v.target, d: d.target,
          sums: sums.target + first, accumulate: false, scratch: scratch.target)
        #expect(v.isIntact && d.isIntact && sums.isIntact && scratch.isIntact)
        return sums.values
      }
      let whole = accumulate(row: nil)
      var byRows: [Float] = []
      for row in 0..<shape.points { byRows = accumulate(row: row) }
      #expect(byRows.bits == whole.bits, "\(channels)")
      let dw = Floats(count: 9 * channels.0 * channels.1)
      kernels.transformWeightGradient(
        shape, sums.source, rows: 0..<channels.0, tapStride: channels.0 * channels.1, into: dw.target)
      let expected = gradient(x, dy, channels)
      let scale = (expected.reduce(0) { $0 + $1 * $1 } / Double(expected.count)).squareRoot()
      let error = zip(dw.values, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) } / scale
      #expect(error < 4e-5 && dw.isIntact, "\(channels)")
    }
  }

  private func gradient(_ x: Floats, _ dy: Floats, _ channels: (Int, Int)) -> [Double] {
    var dw = [Double](repeating: 0, count: 9 * channels.0 * channels.1)
    for image in 0..<2 {
      for oy in 0..<9 {
        for ox in 0..<7 {
          for tap in 0..<9 {
            let (iy, ix) = (oy + tap / 3 - 1, ox + tap % 3 - 1)
            guard (0..<9).contains(iy), (0..<7).contains(ix) else { continue }
            for input in 0..<channels.0 {
              let value = Double(x.source[((image * 9 + iy) * 7 + ix) * channels.0 + input])
              let line = dy.source + ((image * 9 + oy) * 7 + ox) * channels.1
              for output in 0..<channels.1 {
                dw[(tap * channels.0 + input) * channels.1 + output] += value * Double(line[output])
              }
            }
          }
        }
      }
    }
    return dw
  }
}
