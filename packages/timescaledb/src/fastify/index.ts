export { timeSeriesRoutes, type TimeSeriesLimits, type TimeSeriesRoutesOptions } from './time-series-routes.ts'
