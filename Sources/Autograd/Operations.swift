import Compute

/// y = (conv(x, weight) + bias + residual) * scale; shapes as in `Compute.convolution`.
public func convolution(
  _ x: Variable, weight: Variable, bias: Variable? = nil, residual: Variable? = nil, scale: Float = 1,
  padding: Int? = nil
) -> Variable {
  let y = Compute.convolution(
    x.value, weight: weight.value, bias: bias?.value, residual: residual?.value, scale: scale, padding: padding)
  let (dx, dWeight, dBias, dResidual) = (x.sink, weight.sink, bias?.sink, residual?.sink)
  let (input, kernel) = (weight.isRecorded ? x.value : nil, weight.value)
  return .record(y, from: [x, weight, bias, residual]) { dy in
    let dy = scale == 1 ? dy : scaled(dy, by: scale)
    dResidual?.accumulate(dy)
    dBias?.accumulate(sumOverPixels(dy))
    dx.accumulate(convolutionInputGradient(dy, weight: kernel, padding: padding))
    if let input { dWeight.accumulate(convolutionWeightGradient(input, dy, kernel: kernel.shape[0], padding: padding)) }
  }
}

/// y = x weight + bias; shapes as in `Compute.linear`.
public func linear(_ x: Variable, weight: Variable, bias: Variable? = nil) -> Variable {
  let y = Compute.linear(x.value, weight: weight.value, bias: bias?.value)
  let (dx, dWeight, dBias) = (x.sink, weight.sink, bias?.sink)
  let (input, matrix) = (weight.isRecorded ? x.value : nil, weight.value)
  return .record(y, from: [x, weight, bias]) { dy in
    dBias?.accumulate(sumOverPixels(dy))
    dx.accumulate(linearInputGradient(dy, weight: matrix))
    if let input { dWeight.accumulate(linearWeightGradient(input, dy)) }
  }
}

/// Group normalization of x + shift, then weight and bias, modulation, and SiLU if asked; shapes as in
/// `Compute.groupNorm`.
public func groupNorm(
  _ x: Variable, shift: Variable? = nil, weight: Variable, bias: Variable, modulation: Variable? = nil, groups: Int,
  epsilon: Float, silu: Bool
) -> Variable {
  let (y, statistics) = Compute.groupNorm(
    x.value, shift: shift?.value, weight: weight.value, bias: bias.value, modulation: modulation?.value,
    groups: groups, epsilon: epsilon, silu: silu)
  let (dx, dShift, dWeight, dBias, dModulation) = (x.sink, shift?.sink, weight.sink, bias.sink, modulation?.sink)
  return .record(y, from: [x, shift, weight, bias, modulation]) { dy in
    let gradients = groupNormGradient(
      x.value, shift: shift?.value, weight: weight.value, bias: bias.value, modulation: modulation?.value,
      groups: groups, silu: silu, statistics: statistics, dy)
    dx.accumulate(gradients.x)
    dShift?.accumulate(gradients.shift)
    dWeight.accumulate(gradients.weight)
    dBias.accumulate(gradients.bias)
    dModulation?.accumulate(gradients.modulation)
  }
}

/// Self-attention over the pixels of each image; shapes as in `Compute.attention`.
public func attention(_ qkv: Variable, heads: Int) -> Variable {
  .record(Compute.attention(qkv.value, heads: heads), from: [qkv]) { dy in
    qkv.sink.accumulate(attentionGradient(qkv.value, heads: heads, dy))
  }
}

/// Half the resolution; shapes as in `Compute.downsample`.
public func downsample(_ x: Variable, _ filter: ResamplingFilter, padding: Int? = nil) -> Variable {
  let (dx, shape) = (x.sink, x.shape)
  return .record(Compute.downsample(x.value, filter, padding: padding), from: [x]) { dy in
    dx.accumulate(downsampleGradient(dy, filter, inputShape: shape, padding: padding))
  }
}

/// Twice the resolution; shapes as in `Compute.upsample`.
public func upsample(_ x: Variable, _ filter: ResamplingFilter, padding: Int? = nil) -> Variable {
  let (dx, shape) = (x.sink, x.shape)
  return .record(Compute.upsample(x.value, filter, padding: padding), from: [x]) { dy in
    dx.accumulate(upsampleGradient(dy, filter, inputShape: shape, padding: padding))
  }
}

/// x * sigmoid(x).
public func silu(_ x: Variable) -> Variable {
  .record(Compute.silu(x.value), from: [x]) { dy in x.sink.accumulate(siluGradient(x.value, dy)) }
}

/// (a + b) * scale.
public func addScaled(_ a: Variable, _ b: Variable, scale: Float = 1) -> Variable {
  let (da, db) = (a.sink, b.sink)
  return .record(Compute.addScaled(a.value, b.value, scale: scale), from: [a, b]) { dy in
    let dy = scale == 1 ? dy : scaled(dy, by: scale)
    da.accumulate(dy)
    db.accumulate(dy)
  }
}

/// Two images of the same size beside each other in their channels.
public func concatenateChannels(_ a: Variable, _ b: Variable) -> Variable {
  let (da, db, left, total) = (a.sink, b.sink, a.shape[3], a.shape[3] + b.shape[3])
  let joined = Compute.concatenateChannels(a.value, b.value)
  // Gradients need the channels in one: what reads them before may as well.
  if a.isRecorded || b.isRecorded { joined.settle() }
  return .record(joined, from: [a, b]) { dy in
    da.accumulate(channels(dy, 0..<left))
    db.accumulate(channels(dy, left..<total))
  }
}

/// The first channels of an image: x itself where it has no others.
public func firstChannels(_ x: Variable, _ count: Int) -> Variable {
  let (dx, others) = (x.sink, x.shape[3] - count)
  guard others > 0 else { return x }
  return .record(channels(x.value, 0..<count), from: [x]) { dy in
    dx.accumulate(Compute.concatenateChannels(dy, Tensor(shape: Array(dy.shape.dropLast()) + [others])))
  }
}

/// Row n of the outermost axis times a constant of its own.
public func scaledRows(_ x: Variable, by factors: [Float]) -> Variable {
  let dx = x.sink
  return .record(Compute.scaledRows(x.value, by: factors), from: [x]) { dy in
    dx.accumulate(Compute.scaledRows(dy, by: factors))
  }
}

/// Row n of the outermost axis: a * alpha[n] + b * beta[n], with constant alpha and beta.
public func combinedRows(_ a: Variable, _ alpha: [Float], _ b: Variable, _ beta: [Float]) -> Variable {
  let (da, db) = (a.sink, b.sink)
  return .record(Compute.combinedRows(a.value, alpha, b.value, beta), from: [a, b]) { dy in
    da.accumulate(Compute.scaledRows(dy, by: alpha))
    db.accumulate(Compute.scaledRows(dy, by: beta))
  }
}

/// x plus a constant of the same shape.
public func adding(_ x: Variable, constant: Tensor) -> Variable {
  let dx = x.sink
  return .record(Compute.addScaled(x.value, constant), from: [x]) { dy in dx.accumulate(dy) }
}

/// Dropout with a mask that depends on `key` and the element's index alone.
public func dropout(_ x: Variable, probability: Float, key: UInt64, firstImage: Int = 0) -> Variable {
  let dx = x.sink
  return .record(Compute.dropout(x.value, probability: probability, key: key, firstImage: firstImage), from: [x]) {
    dy in
    dx.accumulate(Compute.dropout(dy, probability: probability, key: key, firstImage: firstImage))
  }
}
