import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';
import { lines } from '../core/text.ts';

const CARD = /^card[0-9]+$/;

const memory = (name: string, help: string) => gauge(`node_drm_memory_${name}_bytes`, help, 'card');

export default defineCollector({
  name: 'drm',
  help: 'Exposes the load and the memory of AMD graphics cards.',
  enabled: false,
  reads: [
    '/sys/class/drm/card<n>/device/uevent',
    '/sys/class/drm/card<n>/device/gpu_busy_percent',
    '/sys/class/drm/card<n>/device/mem_info_*',
    '/sys/class/drm/card<n>/device/power_dpm_force_performance_level',
    '/sys/class/drm/card<n>/device/unique_id',
  ],
  flags: {},
  metrics: {
    info: gauge(
      'node_drm_card_info',
      'What the card is and how its power is managed; the value is always 1.',
      'card',
      'memory_vendor',
      'power_performance_level',
      'unique_id',
      'vendor',
    ),
    gpu_busy_percent: gauge('node_drm_gpu_busy_percent', 'How busy the graphics processor is, in percent.', 'card'),
    mem_info_gtt_total: memory('gtt_size', 'Size of the graphics translation table.'),
    mem_info_gtt_used: memory('gtt_used', 'Used part of the graphics translation table.'),
    mem_info_vram_total: memory('vram_size', 'Size of the video memory.'),
    mem_info_vram_used: memory('vram_used', 'Used part of the video memory.'),
    mem_info_vis_vram_total: memory('vis_vram_size', 'Size of the video memory that the processor can reach.'),
    mem_info_vis_vram_used: memory('vis_vram_used', 'Used part of the video memory that the processor can reach.'),
  },
  setup({ sys }, { info, ...values }) {
    /** https://docs.kernel.org/gpu/amdgpu/driver-misc.html */
    return sys.devices(
      'class/drm',
      CARD,
      (card, out) => {
        const { fixed, word, number } = card.inside('device');
        if (!lines(fixed('uevent') ?? '').includes('DRIVER=amdgpu')) return;
        const level = word('power_dpm_force_performance_level') ?? '';
        const labels = [fixed('mem_info_vram_vendor') ?? '', level, fixed('unique_id') ?? ''];
        out.row(info, 1, [card.id, ...labels, 'amd']);
        for (const [file, family] of Object.entries(values)) out.sample(family, number(file), card.id);
      },
      { ifAbsent: nothing },
    );
  },
});
