'use strict';
// Draws the curves of #curves into the elements that name one, in the colours of the page.
(() => {
  const charts = JSON.parse(document.getElementById('curves').textContent);
  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let plots = [];
  function draw() {
    plots.forEach((plot) => plot.destroy());
    plots = [];
    const axis = {
      stroke: colour('--muted'), font: '11px system-ui, sans-serif',
      grid: {stroke: colour('--line'), width: 1}, ticks: {stroke: colour('--line'), width: 1},
    };
    for (const box of document.querySelectorAll('[data-chart]')) {
      const chart = charts[Number(box.dataset.chart)];
      const shown = (plot, value) => value == null ? '-' : String(Number(value.toPrecision(4)));
      const line = (series) => ({
        label: series.label, stroke: colour('--series-' + series.colour), width: 2, spanGaps: true,
        value: shown, points: {show: chart.steps.length < 3},
      });
      plots.push(new uPlot({
        width: box.clientWidth, height: 200,
        scales: {
          // One value alone is shown over 0.
          x: {time: false, range: (plot, min, max) => min === max ? [0, max] : [min, max]},
          y: {
            range: (plot, min, max) => min === max ?
              [Math.min(0, min), Math.max(1, 1.2 * max)] : uPlot.rangeNum(min, max, 0.1, true),
          },
        },
        axes: [{...axis}, {...axis, size: 56}],
        series: [{label: 'step', value: shown}, ...chart.series.map(line)],
      }, [chart.steps, ...chart.series.map((series) => series.values)], box));
    }
  }
  draw();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  addEventListener('resize', draw);
})();
