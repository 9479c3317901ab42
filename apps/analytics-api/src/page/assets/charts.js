// Thin layer over uPlot: one look for every chart, and charts that follow the width of their box.
const soft = () => getComputedStyle(document.documentElement).getPropertyValue('color')

/** An axis in the page's own colours. */
export const axis = (more = {}) => ({
  stroke: soft,
  grid: { stroke: '#8884', width: 0.5, show: more.side === undefined },
  ticks: { show: false },
  values: more.side === undefined ? undefined : (_, values) => values.map((value) => value.toFixed(0)),
  size: 56,
  ...more,
})

/** A chart over time. Feed it with `setData([seconds, ...series])`. */
export function lineChart(box, { series, axes }) {
  const height = () => box.clientHeight - 34
  box.replaceChildren()
  const chart = new uPlot(
    {
      width: box.clientWidth,
      height: height(),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      series: [{}, ...series.map((one) => ({ width: 1.5, points: { show: false }, ...one }))],
      axes: [{ ...axes[0], size: 34, values: undefined }, ...axes.slice(1).map((one) => ({ ...one, values: one.values ?? ((_, values) => values.map((value) => value.toLocaleString('en-US'))) }))],
    },
    undefined,
    box,
  )
  new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: height() })).observe(box)
  return chart
}
